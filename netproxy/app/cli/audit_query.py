"""`netproxy audit query`: the records that match, one line each, in one pass over the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import Damage, add_json, parser
from netproxy.app.cli.audit_csv import header, row
from netproxy.app.cli.audit_lines import record_line
from netproxy.app.cli.audit_selection import add_selection, selected
from netproxy.app.cli.printing import columns, wants_colour, write
from otel import flat_line

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from otel import Record

_DESCRIPTION = """\
The records that match all options, in the order of time. On a terminal lines are
cut to its width; a pipe, --json and --csv get all of them."""


def main(arguments: list[str]) -> int:
    """Print them as they are read."""
    made = parser("query", _DESCRIPTION)
    add_selection(made)
    form = made.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument("--csv", action="store_true", help="for a spreadsheet")
    options = made.parse_args(arguments)
    damage = Damage()
    _print(selected(made, options, damage), options)
    return damage.status()


def _print(records: Iterable[Record], options: Namespace) -> None:
    if options.csv:
        write(header(), end="\r\n")
        for record in records:
            write(row(record), end="\r\n")
    elif options.json:
        for record in records:
            write(flat_line(record))
    else:
        colour, width = wants_colour(), columns()
        for record in records:
            write(record_line(record, colour=colour, width=width))
