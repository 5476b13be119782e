"""Services across the fence: what `[sandbox]` and the options `--reach` and `--expose` come to.

A service that is reached is an allow rule of the layer that names it, so it is bounded, recorded
and revoked as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.policy.layers import LayerPolicy
from netproxy.policy.origin import Layer, Origin
from otel.values import dataclass, replace
from sandbox.config import RESERVED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.app.cli.sandbox_options import SandboxOptions
    from netproxy.policy.bounds import Bounds
    from netproxy.policy.forwards import Expose, Reach
    from netproxy.policy.loader import Document
    from netproxy.policy.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What is brought to the command, and which of its ports are opened to this host."""

    reached: tuple[Reach, ...] = ()
    exposed: tuple[Expose, ...] = ()
    unix: tuple[str, ...] = ()  # paths of sockets


def chosen_services(document: Document | None, options: SandboxOptions) -> Services:
    """Add what the command line names to what the user's file does.

    Without a sandbox there is nothing between the two sides.
    """
    if options.no_sandbox:
        return Services()
    table = document.sandbox if document else None
    given = options.services
    if table is None:
        return Services(reached=given.reach, exposed=given.expose, unix=given.unix)
    return Services(
        reached=(*table.reach, *given.reach),
        exposed=(*table.expose, *given.expose),
        unix=tuple(dict.fromkeys((*table.unix, *given.unix))),
    )


def reach_rules(options: SandboxOptions) -> tuple[Rule, ...]:
    """Allow what the command line names."""
    return tuple(
        reach.rule(Origin(layer=Layer.COMMAND_LINE, key=f"--reach #{number}"))
        for number, reach in enumerate(options.services.reach, start=1)
    )


def with_reached(user: LayerPolicy | None, document: Document | None) -> LayerPolicy | None:
    """Add the rules for what the user's file names to the rest of it."""
    table = document.sandbox if document else None
    if document is None or table is None or not table.reach:
        return user
    layer = user or LayerPolicy(layer=Layer.USER)
    rules = (
        reach.rule(document.origin(("sandbox", "reach", index)))
        for index, reach in enumerate(table.reach)
    )
    return replace(layer, rules=(*layer.rules, *rules))


def service_problems(document: Document | None, options: SandboxOptions) -> Iterator[str]:
    """Say what can't be together."""
    given = options.services
    for flag, listed in (
        ("--reach", given.reach), ("--expose", given.expose), ("--unix", given.unix),
    ):  # fmt: skip
        if listed and options.no_sandbox:
            yield f"{flag}: without a sandbox the command and this host share their sockets"
            return
    named = tuple(_named(document, options))
    if not named:
        return
    from netproxy.policy.forwards import Expose, Reach, clashes

    values = [value for value, _ in named]
    reached = [value for value in values if isinstance(value, Reach)]
    exposed = [value for value in values if isinstance(value, Expose)]
    for offender, why in clashes(reached, exposed, RESERVED_PORTS):
        place = next(place for value, place in named if value is offender)
        yield f"{place}: {offender.text}: {why}"


def service_violations(
    document: Document | None, options: SandboxOptions, bounds: Bounds
) -> Iterator[str]:
    """Say which ports are opened against the managed file; what is reached is judged as a rule."""
    services = chosen_services(document, options)
    said = bounds.sandbox_expose
    if said is not None and not said.value:
        for value, place in _named(document, options):
            if value in services.exposed:
                yield f"{place}: {value.text}: {said.origin.place} forbids to expose"
    most = bounds.sandbox_unix
    if most is not None:
        for path in services.unix:
            if path not in most.value:
                yield f"--unix {path}: is outside of what {most.origin.place} lets anybody give"


def _named(
    document: Document | None, options: SandboxOptions
) -> Iterator[tuple[Reach | Expose, str]]:
    """Each, and where it was written."""
    table = document.sandbox if document else None
    if document is not None and table is not None:
        for index, reach in enumerate(table.reach):
            yield reach, document.origin(("sandbox", "reach", index)).place
        for index, expose in enumerate(table.expose):
            yield expose, document.origin(("sandbox", "expose", index)).place
    for number, reach in enumerate(options.services.reach, start=1):
        yield reach, f"--reach #{number}"
    for number, expose in enumerate(options.services.expose, start=1):
        yield expose, f"--expose #{number}"
