"""`netproxy policy explain DEST…`: what happens to a destination, and why.

Nothing is looked up unless `--resolve` asks for it, and then only what is allowed: a lookup is
egress. Status 0 when all is explained, 78 for bad settings, 64 for bad usage.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from netproxy.app.cli.explanation import Explained, Found, Leaving, fields, lines, vetted
from netproxy.app.cli.policy_settings import InForce, in_force
from netproxy.app.cli.printing import wants_colour, write
from netproxy.app.cli.run_options import add_policy_options
from netproxy.app.cli.usage import UsageParser
from netproxy.errors import DestinationUnreachable, InvalidDestination
from netproxy.model import Verdict
from netproxy.policy.change import Change, NothingRemembered
from netproxy.policy.destinations import parse_destination
from netproxy.policy.hosts import is_address
from netproxy.policy.trace import Step, Trace, trace
from netproxy.transport.resolver import SystemResolver, system_lookup
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.policy.engine import Policy
    from netproxy.ports import Resolver
    from netproxy.transport.resolver import Lookup

_DESCRIPTION = """\
Say what happens to each destination, by which rule, which steps it passed and what would change
it. A destination is protocol://host[:port], a URL, or host:port (an https tunnel). No name is
looked up without --resolve, and with it only those that are allowed."""


def main(arguments: list[str], *, lookup: Lookup | None = None) -> int:
    """Explain each destination. Returns the exit status. `lookup` stands in for the system's."""
    given = _parser().parse_args(arguments)
    held = in_force(given)
    explained = [_explained(text, given.method, held) for text in given.destinations]
    if given.resolve:
        explained = asyncio.run(_resolved(explained, held, lookup))
    colour = wants_colour()
    for number, each in enumerate(explained):
        if given.json:
            write(json.dumps(fields(each), sort_keys=True))
            continue
        if number:
            write("")
        for line in lines(each, colour=colour):
            write(line)
    return 0


def _parser() -> UsageParser:
    parser = UsageParser(
        prog="netproxy policy explain",
        usage="netproxy policy explain [options] DEST ...",
        description=_DESCRIPTION,
    )
    parser.add_argument("destinations", nargs="+", metavar="DEST", help="what to explain")
    add_policy_options(parser)
    parser.add_argument(
        "--method", metavar="M", help="as if requested with it (default: GET, or CONNECT)"
    )
    parser.add_argument("--resolve", action="store_true", help="look up the names that are allowed")
    parser.add_argument("--json", action="store_true", help="one JSON object a destination")
    return parser


def _explained(text: str, method: str | None, held: InForce) -> Explained:
    try:
        destination, usual = parse_destination(text)
    except InvalidDestination as invalid:
        return Explained(given=text, trace=None, problem=str(invalid))
    found = trace(
        held.policy, destination, method or usual, now=held.now, layers=held.settings.layers
    )
    return _leaving(Explained(given=text, trace=found), found, held)


def _leaving(explained: Explained, found: Trace, held: InForce) -> Explained:
    """Say which way it takes. What a route refuses is as refused as by a rule."""
    routes, where = held.settings.routes, found.destination
    if routes is None or found.judgement.verdict is Verdict.DENY:
        return explained
    from netproxy.connection.routes import Exit, Parent, RoutedJudge

    way, rule = routes.way(where), routes.rule(where)
    by = None if rule is None else rule.label
    if way is not Exit.REFUSE:
        to = way.name if isinstance(way, Parent) else way.value
        return replace(explained, leaving=Leaving(to=to, by=by))
    refused = replace(
        found,
        judgement=RoutedJudge(held.policy, routes).judge(where, found.method, NothingRemembered()),
        rule=None,
        steps=(*found.steps, Step(name="routes", found=f"{by} refuses")),
        change=Change(obstacle=f"take {where.host} out of the route that refuses it, {by}"),
    )
    return replace(explained, trace=refused)


async def _resolved(
    explained: Sequence[Explained], held: InForce, lookup: Lookup | None
) -> list[Explained]:
    """Look up what is allowed, one name after the other."""
    resolver = SystemResolver(
        hosts=held.settings.resolver_hosts,
        timeout_seconds=held.settings.resolve_seconds,
        lookup=lookup or system_lookup,
    )
    return [
        replace(each, found=await _found(each.trace, resolver, held.policy)) for each in explained
    ]


async def _found(judged: Trace | None, resolver: Resolver, policy: Policy) -> Found:
    if judged is None or judged.judgement.verdict is not Verdict.ALLOW:
        return Found(note="not looked up: it is not allowed, and a lookup is egress")
    host = judged.destination.host
    if is_address(host):
        return vetted(policy, policy.vet(judged.destination, (host,)))
    try:
        addresses = await resolver.resolve(host)
    except DestinationUnreachable as unreachable:
        return Found(note=str(unreachable))
    return vetted(policy, policy.vet(judged.destination, addresses))
