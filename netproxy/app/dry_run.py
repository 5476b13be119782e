"""What `netproxy run --dry-run` prints: what a run would see and may use, section by section.

Each part of the fence has one section. Nothing is started, recorded or asked.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netproxy.app.advice import advice
from netproxy.app.blueprint import draw
from netproxy.app.cli.printing import write
from netproxy.app.unix_sockets import warnings
from otel import visible
from sandbox.capture import Capture
from sandbox.streams import inspect_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netproxy.app.blueprint import Blueprint
    from netproxy.app.settings import Settings
    from sandbox.launch import Launch

_SAMPLE_ID = "r-dry-run"
_TAKEN = "captured: TCP to any address, and questions for names"
_CAPTURES = {
    Capture.AUTO: (_TAKEN, "where this kernel can't: no network"),
    Capture.OFF: ("no network",),
    Capture.ONLY: (_TAKEN, "where this kernel can't: no run"),
}


def show(settings: Settings, environ: Mapping[str, str]) -> int:
    """Print it; return 0. Raises what `draw` raises."""
    blueprint = draw(settings, environ)
    launch = blueprint.launch(inspect_streams(), _SAMPLE_ID, added={})
    for title, section in SECTIONS:
        lines = list(section(blueprint, launch))
        if lines:
            write(title)
        for line in lines:
            write(f"  {visible(line)}")
    return 0


def _command(blueprint: Blueprint, launch: Launch) -> Iterable[str]:
    yield from launch.command
    yield f"in {launch.directory}"
    if blueprint.plan is None:
        yield "without a sandbox: proxy variables only"


def _files(blueprint: Blueprint, _: Launch) -> Iterable[str]:
    if blueprint.plan is not None:
        yield from blueprint.plan.lines()


def _kept_out(blueprint: Blueprint, _: Launch) -> Iterable[str]:
    if blueprint.plan is not None:
        yield from (part.path for part in blueprint.plan.missing)


def _notes(blueprint: Blueprint, _: Launch) -> Iterable[str]:
    if blueprint.plan is not None:
        yield from blueprint.plan.notes


def _environment(_: Blueprint, launch: Launch) -> Iterable[str]:
    """Names only: a value may be a secret."""
    yield from sorted(launch.environment)


def _withheld(blueprint: Blueprint, _: Launch) -> Iterable[str]:
    yield from blueprint.withheld()


def _network(blueprint: Blueprint, launch: Launch) -> Iterable[str]:
    if blueprint.plan is None:
        yield "two free ports of this host's loopback"
        return
    for variable, what in (("NETPROXY_HTTP", "HTTP proxy"), ("NETPROXY_SOCKS", "SOCKS5")):
        yield f"{launch.environment[variable]} {what}"


def _capture(blueprint: Blueprint, launch: Launch) -> Iterable[str]:
    """Whether this kernel can is known when a sandbox is built: `netproxy doctor` says it."""
    if blueprint.plan is not None:
        yield from _CAPTURES[launch.capture]


def _services(blueprint: Blueprint, _: Launch) -> Iterable[str]:
    """Each is judged, recorded and counted as it is used; none is tried here."""
    services = blueprint.settings.sandbox.services
    for reach in services.reached:
        there = reach.destination
        yield f"reach {reach.name}: 127.0.0.1:{there.port} inside leads to {there.authority}"
    for expose in services.exposed:
        yield f"expose {expose.port}: 127.0.0.1:{expose.host_port} of this host leads to it"
    yield from (f"unix {path}" for path in services.unix)


def _filter(blueprint: Blueprint, launch: Launch) -> Iterable[str]:
    if blueprint.plan is not None:
        yield f"seccomp for {launch.machine}; no capability, no new privileges"


def _limits(_: Blueprint, launch: Launch) -> Iterable[str]:
    yield from (f"{limit.name} {limit.amount}" for limit in launch.limits)


def _warnings(blueprint: Blueprint, _: Launch) -> Iterable[str]:
    """What the run would say before it begins."""
    settings = blueprint.settings
    yield from advice(settings, now=time.time())
    yield from warnings(settings.sandbox.services.unix)


# In the order in which they are printed; one without a line is left out.
SECTIONS: tuple[tuple[str, Callable[[Blueprint, Launch], Iterable[str]]], ...] = (
    ("command", _command),
    ("files, a later line wins", _files),
    ("kept from being made", _kept_out),
    ("not looked through", _notes),
    ("environment, names only", _environment),
    ("variables that are left out", _withheld),
    ("listening", _network),
    ("programs that ignore the proxies", _capture),
    ("services across the fence", _services),
    ("kernel filter", _filter),
    ("limits", _limits),
    ("warnings", _warnings),
)
