"""A policy as all layers together state it: checked, complete, and not yet compiled. Pure.

Made by `netproxy.policy.layers`; `netproxy.policy.engine` compiles it into the snapshot that
decides.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from netproxy.model import Sni
from netproxy.policy.blocks import NO_BLOCKS, Blocks
from otel.values import dataclass

if TYPE_CHECKING:
    from netproxy.model import OnDenial, Verdict
    from netproxy.policy.rules import Rule


class Mode(StrEnum):
    """What the network is for at all, before any rule allows anything."""

    FULL = "full"
    LIMITED = "limited"  # plain GET, HEAD and OPTIONS only
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Everything that a decision depends on, but for the time and for this host's addresses."""

    rules: tuple[Rule, ...]  # managed ones first, then user, project, command line
    default: Verdict
    mode: Mode
    on_denial: OnDenial
    sni: Sni = Sni.REFUSE
    allow_private: Blocks = NO_BLOCKS
    # Managed: outside of these nothing is allowed, whoever says yes. None: no such bound.
    ceiling: tuple[Rule, ...] | None = None
