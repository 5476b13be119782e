"""`netproxy policy suggest`: the narrowest rules that cover what people approved.

Prints TOML to paste below a profile, everything else as comments. Changes no file. Status 0, 66
when there is no journal, 78 for bad settings, 64 for bad usage.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from netproxy.app.cli.policy_journal import add_journal_options, read_history, span
from netproxy.app.cli.policy_settings import in_force
from netproxy.app.cli.printing import write
from netproxy.app.cli.run_options import add_policy_options
from netproxy.app.cli.usage import UsageParser
from netproxy.policy.suggest import Suggestions, as_toml, suggest
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.model import Destination
    from netproxy.policy.history import Tally

_DESCRIPTION = """\
Write rules for what people approved and no rule allows yet: exactly those hosts, ports and
protocols. Denied destinations and allow rules that nothing used stand below as comments."""

_SEVERAL = re.compile(r"[2-9]|[1-9][0-9]{1,8}")
# Where there is no settings file yet: the name that its one profile gets.
_PROFILE = "default"


def main(arguments: list[str]) -> int:
    """Print what the journal suggests. Returns the exit status."""
    parser = UsageParser(
        prog="netproxy policy suggest",
        usage="netproxy policy suggest [--audit DIR] [options]",
        description=_DESCRIPTION,
    )
    add_journal_options(parser)
    add_policy_options(parser)
    parser.add_argument(
        "--group",
        type=_several,
        metavar="N",
        help="show the wildcard that would stand for N or more hosts of one domain, as a comment",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args(arguments)
    wanted = span(given, parser)
    held = in_force(given)
    history = read_history(given.audit or held.settings.audit_directory, wanted)
    found = suggest(history, held.policy, group=given.group)
    if history.malformed:
        sys.stderr.write(f"netproxy: {history.malformed} malformed records passed over\n")
    if given.json:
        for record in _records(found):
            write(json.dumps(record, sort_keys=True))
        return 0
    for line in as_toml(found, held.settings.profile or _PROFILE).rstrip("\n").split("\n"):
        write(line)
    return 0


def _several(text: str) -> int:
    if not _SEVERAL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{visible(text, limit=20)}' is not a number above 1")
    return int(text)


def _records(found: Suggestions) -> Iterator[dict[str, Any]]:
    for rule in found.rules:
        yield {
            "kind": "rule",
            "host": rule.host,
            "ports": list(rule.ports),
            "protocols": [protocol.value for protocol in rule.protocols],
            "domain": rule.group,
            **_counted(rule.tally),
        }
    for domain, hosts in found.wider:
        yield {"kind": "wider", "pattern": f"*.{domain}", "hosts": list(hosts)}
    for each in found.bounded:
        where = _where(each.destination)
        yield {"kind": "refused", "why": each.why, **where, **_counted(each.tally)}
    for destination, tally in found.denied:
        yield {"kind": "denied", **_where(destination), **_counted(tally)}
    for unused in found.unused:
        origin = unused.origin
        yield {
            "kind": "unused",
            "rule": unused.text,
            "layer": str(origin.layer),
            "file": origin.file,
            "line": origin.line,
            "column": origin.column,
            "key": origin.key,
        }


def _where(destination: Destination) -> dict[str, Any]:
    return {
        "host": destination.host,
        "port": destination.port,
        "protocol": destination.protocol.value,
    }


def _counted(tally: Tally) -> dict[str, Any]:
    return {"count": tally.count, "first": tally.first, "last": tally.last}
