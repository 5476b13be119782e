"""The sessions of a gateway that serves several: each with its profile, its answers, its records.

What a client gets follows from its listener, or from the token that it shows. Nothing is shared
between sessions but the process: no rule, no grant, no limit.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.reception import Run
from netproxy.app.settings import load_settings
from netproxy.app.wiring import data_plane, limits_of
from netproxy.policy.origin import Layer
from netproxy.transport.udp_ports import OwnPorts
from otel import new_id
from otel.events import PolicyLoaded, SessionEnded, SessionStarted
from otel.values import dataclass, replace
from sandbox.loopback import is_same_user
from sandbox.token import CancellationToken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from netproxy.app.cli.run_options import RunOptions
    from netproxy.app.rule_file import Load
    from netproxy.app.settings import Settings
    from netproxy.app.token_file import Holder
    from netproxy.app.wiring import Shared
    from netproxy.config import Limits
    from netproxy.model import Decision, Request
    from netproxy.transport.server import ProxyServer
    from otel import AuditTrail

# A build or a page opens some hundred connections within a second, and then waits for them.
_PER_SECOND = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One scope of rules and remembered answers."""

    settings: Settings
    load: Load  # reads all of them anew


class NobodyToStop:
    """Fills `netproxy.ports.Token`: there is no command, so a denial is about its connection."""

    is_cancelled = False

    def cancel(self, request: Request, decision: Decision) -> None:
        """Nothing is cancelled; the refusal is on record."""


def session_of(
    options: RunOptions,
    environ: Mapping[str, str],
    *,
    profile: str | None,
    name: str | None,
) -> Session:
    """Read the settings of one session. Raises `InvalidSettings`."""
    own = replace(options, profile=profile or options.profile, session=name or options.session)
    settings = load_settings(own, environ)
    # As for a command: a project's file that appears later doesn't count.
    has_project = any(source.layer is Layer.PROJECT for source in settings.sources)
    later = own if has_project else replace(own, no_project=True)
    return Session(settings=settings, load=partial(load_settings, later, environ))


def session_of_holder(options: RunOptions, environ: Mapping[str, str], holder: Holder) -> Session:
    """Read the settings of who has a token: a session under that name. Raises `InvalidSettings`."""
    return session_of(options, environ, profile=holder.profile, name=holder.identity)


def run_of(session: Session, session_id: str, trail: AuditTrail, user: str) -> Run:
    """What the parts of the gateway know a session as."""
    settings = session.settings
    policy = settings.policy(now=time.time())
    execution_id = new_id("r")
    own_trail = trail.with_attributes(**{"session.id": session_id, "execution.id": execution_id})
    return Run(
        settings=settings,
        load=session.load,
        pinned={},
        policy=PolicyInForce(policy),
        digest=policy.digest,
        reload_wanted=asyncio.Event(),
        trail=own_trail,
        token=CancellationToken(),
        session_id=session_id,
        execution_id=execution_id,
        user=user,
        command=_shown(settings),
        directory=str(Path.cwd()),
    )


def _shown(settings: Settings) -> str:
    """What a reviewer reads in place of a command."""
    name = settings.session_name or settings.profile
    return "a client of netproxy serve" + (f" ({name})" if name else "")


@asynccontextmanager
async def served(run: Run, shared: Shared) -> AsyncIterator[ProxyServer]:
    """Open a session, and close it with all that it remembers. Raises `AuditUnavailable`."""
    name = run.settings.session_name
    run.trail.record(SessionStarted(session_name=name))
    loaded = PolicyLoaded(digest=run.digest, rules=run.policy.current.rule_count, source="start")
    run.trail.record(loaded)
    limits = shared_limits(run.settings)
    ports = OwnPorts(shared.readiness, is_same_user)
    async with data_plane(run, shared, token=NobodyToStop(), limits=limits, ports=ports) as server:
        yield server
    run.trail.record(SessionEnded(session_name=name))


def shared_limits(settings: Settings) -> Limits:
    """What one session may take of a gateway that others want something of, too."""
    limits = limits_of(settings)
    if limits.connections_per_second is not None:
        return limits
    return replace(limits, connections_per_second=_PER_SECOND)
