"""The table of events in docs/audit.md, made from the events themselves.

Make it again: .venv/bin/python -m tests.support.event_table
"""

from __future__ import annotations

import re
from pathlib import Path

from otel.events import EVENTS, Event, PolicyDecision

PAGE = Path(__file__).parents[2] / "docs/audit.md"
BEGIN, END = "<!-- events: made by tests/support/event_table.py -->\n", "<!-- end of events -->\n"
_PIECE = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def table() -> str:
    """One row for each event, in the order of the catalogue."""
    rows = [
        "| event (`netproxy.…`) | severity | when | attributes of its own |",
        "|---|---|---|---|",
        *map(_row, EVENTS),
    ]
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    assert _PIECE.search(page), "there is no place for the table"
    return _PIECE.sub(lambda _: BEGIN + "\n" + table() + "\n" + END, page)


def _row(kind: type[Event]) -> str:
    when = " ".join((kind.__doc__ or "").split())
    names = " ".join(
        f"`{attribute}`{'?' * (field in kind.optional)}" for field, attribute in kind.fields.items()
    )
    severity = "INFO, WARN" if kind is PolicyDecision else kind._severity.name
    return f"| `{kind.name.removeprefix('netproxy.')}` | {severity} | {when} | {names} |"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
