"""The options by which verbs of `netproxy audit` are told which records are meant, and those."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import Damage, add_period, journal, period
from netproxy.app.cli.audit_filter import Filter, host_pattern, is_event
from netproxy.app.cli.usage import did_you_mean
from netproxy.model import Reason
from otel import read, visible
from otel.attributes import SESSION_ID, SESSION_NAME
from otel.events import EVENTS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from pathlib import Path

    from netproxy.app.cli.usage import UsageParser
    from otel import Record


# A protocol, or a port behind a name, an IPv4 address or a bracket: IPv6 alone has colons, too.
_NO_HOST = re.compile(r"://|^[^:]*:[0-9]+$|^[^:]*\.[^:]*:\*$|\]:")


def add_selection(made: UsageParser) -> None:
    """Offer the options that `selected` reads."""
    made.add_argument("--run", metavar="ID", help="execution.id, r-…")
    made.add_argument("--session", metavar="ID", help="session.id or the session's name")
    made.add_argument(
        "--host", type=_host, metavar="HOST", help="server.address; * stands for any text"
    )
    made.add_argument("--outcome", choices=("allow", "deny"))
    made.add_argument("--reason", choices=[str(reason) for reason in Reason], metavar="REASON")
    made.add_argument("--reviewer", metavar="NAME", help="of answers: who gave them")
    made.add_argument(
        "--event", type=_event, metavar="NAME", help="such as policy_decision, or approval.*"
    )
    made.add_argument("--connection", metavar="ID", help="connection.id: all that came of it")
    made.add_argument("--approval", metavar="ID", help="approval.id: a question and its answer")
    add_period(made)


def _host(text: str) -> str:
    """Read a host as records have it. With a protocol or a port it would match nothing, in silence.

    Listings show it with its port, and people copy that.
    """
    if _NO_HOST.search(text):
        raise ArgumentTypeError(
            f"'{visible(text, limit=300)}' is more than a host: leave the rest out"
        )
    return host_pattern(text)


def _event(text: str) -> str:
    """Read a name, or a pattern, that at least one event of the catalogue has."""
    names = [kind.name for kind in EVENTS]
    if not any(is_event(name, text) for name in names):
        short = [name.removeprefix("netproxy.") for name in names]
        near = did_you_mean(text, short)
        raise ArgumentTypeError(f"no event is called '{visible(text, limit=40)}'{near}")
    return text


def selected(made: UsageParser, options: Namespace, damage: Damage) -> Iterator[Record]:
    """The records that match all options, as they are read. What is no time is bad usage."""
    span, directory = period(made, options), journal(options)
    wanted = Filter(
        run=options.run,
        sessions=options.session and _sessions(directory, options.session),
        host=options.host,
        outcome=options.outcome,
        reason=options.reason,
        reviewer=options.reviewer,
        event=options.event,
        connection=options.connection,
        approval=options.approval,
        span=span,
    )
    return filter(wanted.matches, read(directory, damage.report, span=span))


def _sessions(directory: Path, wanted: str) -> frozenset[str]:
    """The ids of a session: what is given, and those that had it as their name, at any time.

    Only the records of its start and end have the name. What is damaged is told of later.
    """
    named = (each.attributes for each in read(directory, _not_now))
    ids = {str(values.get(SESSION_ID)) for values in named if values.get(SESSION_NAME) == wanted}
    return frozenset(ids | {wanted})


def _not_now(_: str) -> None:
    return
