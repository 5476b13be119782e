"""`netproxy approvals show ID`: one question, standing or over, with what is known around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_command import (
    local_time,
    over,
    parser,
    pending,
    print_json,
    select,
)
from netproxy.app.cli.approvals_words import (
    clock_time,
    ended,
    held_until,
    left,
    limits,
    moment,
    used,
)
from netproxy.app.cli.gateways import Gone
from netproxy.app.cli.printing import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from netproxy.app.cli.gateways import Document

_DESCRIPTION = "Show one question and, where it is over, how it ended."
_LABEL_WIDTH = 12


def main(arguments: list[str]) -> int:
    """Print it."""
    made = parser("show", _DESCRIPTION)
    made.add_argument("id", metavar="ID")
    options = made.parse_args(arguments)
    standing = pending()
    found = select([*standing, *over(standing)], "approval_id", options.id, "approval")
    try:
        story = found.gateway.ask("GET", f"/v1/approvals/{found.document['approval_id']}")
    except Gone:
        story = {"approval": found.document, "pending": None, "grant": None, "earlier": []}
    if options.json:
        print_json({**story, "gateway": found.gateway.name})
        return 0
    now = local_time()
    for label, text in _rows(story, now):
        write(f"{label:<{_LABEL_WIDTH}}{text}")
    return 0


def _rows(story: Document, now: datetime) -> Iterator[tuple[str, str]]:
    approval = story["approval"]
    request = approval["request"]
    yield "approval", approval["approval_id"]
    yield "destination", request["destination"]
    if request["host_unicode"] is not None:
        yield "shown as", request["host_unicode"]
    yield "command", request["command"]
    yield "directory", request["directory"]
    yield "session", _named(request["session"], request["session_name"])
    yield "run", request["run"]
    yield "why asked", request["explanation"]
    if request["hint"] is not None:
        yield "for good", request["hint"]
    yield "asked", clock_time(moment(request["created_at"]), now)
    yield "state", _state(story, now)
    if (grant := story["grant"]) is not None:
        what = f"{grant['grant_id']} until {held_until(grant, now)}{limits(grant['budget'])}"
        yield "grant", what
        if spent := used(grant):
            yield "used", spent
    for earlier in story["earlier"]:
        yield "before", f"{earlier['request']['destination']} {ended(earlier, now)}"


def _state(story: Document, now: datetime) -> str:
    pending = story["pending"]
    if pending is None:
        return ended(story["approval"], now)
    waiting = pending["waiting"]
    who = "nobody waits" if not waiting else f"{waiting} wait" if waiting > 1 else "1 waits"
    return f"{who}, {left(pending['seconds_left'])} left to answer"


def _named(session: str, name: str | None) -> str:
    return session if name is None else f"{session} ({name})"
