"""`netproxy audit query`: the records that match, one line each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import Damage, add_json, journal, parser
from netproxy.app.cli.audit_filter import Filter, host_pattern, instant
from netproxy.app.cli.audit_lines import record_line
from netproxy.app.cli.printing import wants_colour, write
from netproxy.model import Reason
from otel import flat_line, read

if TYPE_CHECKING:
    from netproxy.app.cli.usage import UsageParser


def main(arguments: list[str]) -> int:
    """Print them as they are read."""
    made = _parser()
    options = made.parse_args(arguments)
    now = time.time()
    try:
        since, until = (text and instant(text, now) for text in (options.since, options.until))
    except (ValueError, OverflowError):
        made.error("a time is 2026-01-02, 2026-01-02T03:04:05Z, or 90m, 2h, 7d ago")
    wanted = Filter(
        run=options.run,
        session=options.session,
        host=options.host and host_pattern(options.host),
        outcome=options.outcome,
        reason=options.reason,
        event=options.event,
        since=since,
        until=until,
    )
    damage = Damage()
    colour = not options.json and wants_colour()
    for record in filter(wanted.matches, read(journal(options), damage.report)):
        write(flat_line(record) if options.json else record_line(record, colour=colour))
    return damage.status()


def _parser() -> UsageParser:
    made = parser("query", "The records that match all options, in the order of time.")
    made.add_argument("--run", metavar="ID", help="execution.id, r-…")
    made.add_argument("--session", metavar="ID", help="session.id or the session's name")
    made.add_argument("--host", metavar="HOST", help="server.address; * stands for any text")
    made.add_argument("--outcome", choices=("allow", "deny"))
    made.add_argument("--reason", choices=[str(reason) for reason in Reason], metavar="REASON")
    made.add_argument("--event", metavar="NAME", help="such as policy_decision")
    made.add_argument("--since", metavar="TIME", help="2026-01-02T03:04:05Z, or 2h for 2 h ago")
    made.add_argument("--until", metavar="TIME")
    add_json(made)
    return made
