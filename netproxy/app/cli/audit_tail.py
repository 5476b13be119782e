"""`netproxy audit tail [--follow]`: the last records of all writers, one line each."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import Damage, add_json, journal, parser, whole_number
from netproxy.app.cli.audit_lines import record_line
from netproxy.app.cli.printing import columns, wants_colour, write
from otel import Follower, flat_line, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel import Record

# A new record shows within what feels like at once.
_POLL_SECONDS = 0.1
_TAIL_LINES = 20


def main(arguments: list[str]) -> int:
    """Print them; with `--follow` until Ctrl-C."""
    made = parser("tail", "The last records of all writers, in the order of time.")
    made.add_argument("-n", "--lines", type=whole_number, default=_TAIL_LINES, metavar="N")
    made.add_argument("-f", "--follow", action="store_true", help="and those to come")
    add_json(made)
    options = made.parse_args(arguments)
    directory, damage = journal(options), Damage()
    follower = Follower(directory, damage.report) if options.follow else None
    shown = {}
    for record in read(directory, damage.report, last=options.lines):
        shown[record.writer] = record.seq
        _print([record], as_json=options.json)
    while follower is not None:
        # What was written while the last records were read is in both.
        new = (each for each in follower.poll() if each.seq > shown.get(each.writer, 0))
        _print(new, as_json=options.json)
        sys.stdout.flush()
        time.sleep(_POLL_SECONDS)
    return damage.status()


def _print(records: Iterable[Record], *, as_json: bool) -> None:
    colour = not as_json and wants_colour()
    for record in records:
        # Asked for each time: a terminal may be made wider meanwhile.
        line = record_line(record, colour=colour, width=columns())
        write(flat_line(record) if as_json else line)
