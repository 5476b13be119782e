"""The policy that verbs ask about which run nothing: all layers, as a run here would have them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from netproxy.app.cli.run_options import policy_options
from netproxy.errors import InvalidSettings
from netproxy.policy.engine import Host
from otel import visible
from otel.values import dataclass

if TYPE_CHECKING:
    import argparse

    from netproxy.app.settings import Settings
    from netproxy.policy.engine import Policy

EXIT_CONFIG = os.EX_CONFIG  # 78


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What holds now."""

    settings: Settings
    policy: Policy
    now: float  # when it was compiled: seconds since the epoch


def in_force(given: argparse.Namespace) -> InForce:
    """Read and compile what the options name. Leaves with 78 and a line for each problem.

    The listeners of a gateway are not known here; this host's own addresses are.
    """
    from netproxy.app.own_addresses import host_addresses
    from netproxy.app.settings import load_settings

    try:
        settings = load_settings(policy_options(given), os.environ)
    except InvalidSettings as invalid:
        sys.stderr.writelines(f"netproxy: {visible(problem)}\n" for problem in invalid.problems)
        raise SystemExit(EXIT_CONFIG) from None
    sys.stderr.writelines(f"netproxy: {visible(warning)}\n" for warning in settings.warnings)
    now = time.time()
    policy = settings.policy(now=now, host=Host(addresses=host_addresses()))
    return InForce(settings=settings, policy=policy, now=now)
