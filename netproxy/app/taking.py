"""What a gateway makes of a run that is offered to it: settings, policy and the fence to build.

All of it is done in one thread beside the event loop, whose working directory is its own, so that
relative names mean what they mean to whoever typed them. What is unusual is not taken over: the run
then has a gateway of its own, which says everything there is to say.
"""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproxy.app.advice import advice
from netproxy.app.blueprint import draw
from netproxy.app.cli.run_options import GatewayChoice, parse_run
from netproxy.app.file_rules import FolderMissing
from netproxy.app.home import home_of
from netproxy.app.launcher import program
from netproxy.app.places import config_home, state_home
from netproxy.app.settings import Ask, load_settings
from netproxy.errors import InvalidSettings
from netproxy.policy.origin import Layer
from otel import new_id
from otel.values import dataclass, replace
from sandbox.errors import SandboxError
from sandbox.limits import refuse_unenforceable
from sandbox.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.app.blueprint import Blueprint
    from netproxy.app.rule_file import Load
    from netproxy.app.settings import Settings
    from netproxy.policy.engine import Policy
    from sandbox.launch import Launch

# What the launcher passes on as it is: its streams are no terminals.
_STREAMS = Streams(terminals=(), path=None)


class NotTaken(Exception):
    """The run is better off with a gateway of its own. The text says why, for a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A run that was taken over, before anything of it is built."""

    settings: Settings
    load: Load
    policy: Policy
    blueprint: Blueprint
    launch: Launch
    pinned: Mapping[Path, Any]
    execution_id: str
    session_id: str  # a new one
    said: tuple[str, ...]  # what the user is told before the command starts


def own_directory() -> None:
    """Give this thread a working directory of its own (unshare(2), CLONE_FS)."""
    os.unshare(os.CLONE_FS)


def considered(
    request: Mapping[str, Any], gateway: Settings, gateway_environ: Mapping[str, str]
) -> Offer:
    """Read the settings of a run, and order what its launcher builds. Raises NotTaken.

    `gateway`: those of its first session. Changes the working directory of the thread meanwhile.
    """
    if tuple(request["program"]) != program():
        raise NotTaken("another netproxy")
    try:
        return _considered(request, gateway, gateway_environ)
    finally:
        os.chdir("/")  # nothing is kept busy


def _considered(
    request: Mapping[str, Any], gateway: Settings, gateway_environ: Mapping[str, str]
) -> Offer:
    environ: dict[str, str] = request["environ"]
    try:
        os.fchdir(request["directory"].descriptor)
        options = parse_run(list(request["arguments"]), is_quiet=True)
        settings = load_settings(options, environ)
        if options.gateway is GatewayChoice.OWN:
            raise NotTaken("it wants one of its own")
        _refuse_unlike(settings, gateway, has_terminal=request["has_terminal"])
        _refuse_elsewhere(environ, gateway_environ)
        refuse_unenforceable(settings.sandbox.limits, is_root=os.getuid() == 0, is_fenced=True)
        blueprint = draw(settings, environ)
        assert blueprint.plan is not None, "it has a sandbox"
        directory = Path.cwd()
    except SystemExit:  # argparse: help, or bad usage
        raise NotTaken("its options can't be used") from None
    except (InvalidSettings, FolderMissing, SandboxError, OSError) as error:
        raise NotTaken(str(error)) from error
    has_project = any(source.layer is Layer.PROJECT for source in settings.sources)
    later = options if has_project else replace(options, no_project=True)
    now, execution_id, notes = time.time(), new_id("r"), blueprint.plan.notes
    return Offer(
        settings=settings,
        load=partial(load_settings, later, environ, directory=directory),
        policy=settings.policy(now=now),
        blueprint=blueprint,
        launch=blueprint.launch(_STREAMS, execution_id, added={}),
        pinned=blueprint.pinned(),
        execution_id=execution_id,
        session_id=new_id("s"),
        said=tuple(f"warning: {line}" for line in (*advice(settings, now=now), *notes)),
    )


def _refuse_unlike(settings: Settings, gateway: Settings, *, has_terminal: bool) -> None:
    """What a gateway has once, for all that it serves, has to be what the run asks for."""
    sandbox = settings.sandbox
    if sandbox.no_sandbox or sandbox.dry_run:
        raise NotTaken("it has no sandbox")
    services = sandbox.services
    if services.reached or services.exposed or services.unix:
        raise NotTaken("services lead in or out of it")
    if settings.telemetry is not None:
        raise NotTaken("it is measured by itself")
    if _of_the_process(settings) != _of_the_process(gateway):
        raise NotTaken("its audit or approval settings differ")
    if settings.ask is Ask.NEVER:
        return
    if has_terminal:
        raise NotTaken("its terminal can be asked")
    if gateway.ask is Ask.NEVER:
        raise NotTaken("this gateway asks nobody")
    if settings.approvals.inbox not in {None, gateway.approvals.inbox}:
        raise NotTaken("it wants an inbox of its own")


def _of_the_process(settings: Settings) -> tuple[object, ...]:
    return (
        settings.audit_directory,
        settings.audit_mode,
        settings.sinks,
        settings.stall_seconds,
        settings.max_unexported_bytes,
        settings.evidence,
        replace(settings.approvals, inbox=None),
    )


def _refuse_elsewhere(environ: Mapping[str, str], gateway: Mapping[str, str]) -> None:
    """Answers for always, trusted projects and stores are found by these folders."""
    for home in (config_home, state_home):
        if home(environ, home_of(environ)) != home(gateway, home_of(gateway)):
            raise NotTaken("its home is another one")
