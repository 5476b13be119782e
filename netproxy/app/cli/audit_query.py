"""`netproxy audit query`: the records that match, one line each, in one pass over the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import (
    Damage,
    add_json,
    add_period,
    journal,
    parser,
    period,
)
from netproxy.app.cli.audit_csv import header, row
from netproxy.app.cli.audit_filter import Filter, host_pattern
from netproxy.app.cli.audit_lines import record_line
from netproxy.app.cli.printing import columns, wants_colour, write
from netproxy.model import Reason
from otel import flat_line, read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from netproxy.app.cli.usage import UsageParser
    from otel import Record

_DESCRIPTION = """\
The records that match all options, in the order of time. On a terminal lines are
cut to its width; a pipe, --json and --csv get all of them."""


def main(arguments: list[str]) -> int:
    """Print them as they are read."""
    made = _parser()
    options = made.parse_args(arguments)
    span = period(made, options)
    wanted = Filter(
        run=options.run,
        session=options.session,
        host=options.host and host_pattern(options.host),
        outcome=options.outcome,
        reason=options.reason,
        reviewer=options.reviewer,
        event=options.event,
        connection=options.connection,
        approval=options.approval,
        span=span,
    )
    damage = Damage()
    found = filter(wanted.matches, read(journal(options), damage.report, span=span))
    _print(found, options)
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


def _parser() -> UsageParser:
    made = parser("query", _DESCRIPTION)
    made.add_argument("--run", metavar="ID", help="execution.id, r-…")
    made.add_argument("--session", metavar="ID", help="session.id or the session's name")
    made.add_argument("--host", metavar="HOST", help="server.address; * stands for any text")
    made.add_argument("--outcome", choices=("allow", "deny"))
    made.add_argument("--reason", choices=[str(reason) for reason in Reason], metavar="REASON")
    made.add_argument("--reviewer", metavar="NAME", help="of answers: who gave them")
    made.add_argument("--event", metavar="NAME", help="such as policy_decision, or approval.*")
    made.add_argument("--connection", metavar="ID", help="connection.id: all that came of it")
    made.add_argument("--approval", metavar="ID", help="approval.id: a question and its answer")
    add_period(made)
    form = made.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument("--csv", action="store_true", help="for a spreadsheet")
    return made
