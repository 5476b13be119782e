"""`netproxy audit schema [EVENT]`: the JSON Schema of the records that `--json` prints."""

from __future__ import annotations

import json
import sys

from netproxy.app.catalogue import schema
from netproxy.app.cli.usage import UsageParser
from otel.events import EVENTS

_PREFIX = "netproxy."
_DESCRIPTION = """\
Print the JSON Schema (draft 2020-12) of the records that `netproxy audit query --json` prints: of
all of them, or of the events of one name, such as policy_decision."""


def main(arguments: list[str]) -> int:
    """Print one schema."""
    names = sorted(kind.name.removeprefix(_PREFIX) for kind in EVENTS)
    parser = UsageParser(prog="netproxy audit schema", description=_DESCRIPTION)
    parser.add_argument(
        "event",
        nargs="?",
        type=lambda text: text.removeprefix(_PREFIX),
        choices=names,
        metavar="EVENT",
        help="with or without 'netproxy.'; default: any",
    )
    event = parser.parse_args(arguments).event
    made = schema(None if event is None else _PREFIX + event)
    sys.stdout.write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    return 0
