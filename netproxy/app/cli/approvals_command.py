"""What the verbs of `netproxy approvals` share: ids that are shortened, and rows."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from netproxy.app.cli.gateways import EXIT_NOTHING, CliFailed, ask_all
from netproxy.app.cli.printing import BOLD, columns, paint, wants_colour, write
from netproxy.app.cli.usage import EXIT_USAGE, UsageParser
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from netproxy.app.cli.gateways import Document, Gateway

# So much of the end of an id is shown, and more where two would look the same: 30 bits of chance.
_SHOWN = 6
# Less would fit by accident.
_SHORTEST = 4
_GAP = "  "
# Title of the column that is cut at its beginning.
WHERE = "DESTINATION"
# So far back a question that is over is found by a shortened id.
_RECENT = 200


class Found(NamedTuple):
    """Something of one gateway."""

    gateway: Gateway
    document: Document

    def as_json(self) -> Document:
        """With the name of its gateway."""
        return {**self.document, "gateway": self.gateway.name}


def parser(verb: str, description: str) -> UsageParser:
    """Make a parser that knows `--json`."""
    made = UsageParser(prog=f"netproxy approvals {verb}", description=description)
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    return made


def pending() -> list[Found]:
    """Every question of every gateway, oldest first. Raises `CliFailed`."""
    answers = ask_all(os.environ, "/v1/approvals")
    found = [Found(gateway, each) for gateway, told in answers for each in told["approvals"]]
    return sorted(found, key=lambda one: str(one.document["approval_id"]))


def grants() -> list[Found]:
    """Every grant of every gateway, oldest first. Raises `CliFailed`."""
    answers = ask_all(os.environ, "/v1/grants")
    found = [Found(gateway, each) for gateway, told in answers for each in told["grants"]]
    return sorted(found, key=lambda one: str(one.document["grant_id"]))


def decisions(limit: int) -> list[Found]:
    """What ended lately, newest first. Raises `CliFailed`.

    Gateways that share a store tell the same: each is there once.
    """
    answers = ask_all(os.environ, f"/v1/decisions?limit={limit}")
    found = {
        each["approval_id"]: Found(gateway, each)
        for gateway, told in answers
        for each in told["decisions"]
    }
    newest = sorted(found.values(), key=lambda one: str(one.document["ended_at"]), reverse=True)
    return newest[:limit]


def over(standing: Iterable[Found]) -> list[Found]:
    """Those that ended lately and do not stand any more. Raises `CliFailed`."""
    known = {one.document["approval_id"] for one in standing}
    return [one for one in decisions(_RECENT) if one.document["approval_id"] not in known]


def select(found: Sequence[Found], key: str, text: str, what: str) -> Found:
    """Find the one whose id begins or ends so. Raises `CliFailed`: none, or several."""
    wanted = text.lower()
    fitting = [one for one in found if _fits(str(one.document[key]).lower(), wanted)]
    word = visible(text, limit=40)
    if not fitting:
        raise CliFailed(f"there is no {what} '{word}'", EXIT_NOTHING)
    if len(fitting) > 1:
        raise CliFailed(f"{len(fitting)} {what}s fit '{word}': write more of it", EXIT_USAGE)
    return fitting[0]


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """For each id the end of it that nobody else has."""
    size = _SHOWN
    while size < max(map(len, ids), default=0) and len({each[-size:] for each in ids}) < len(ids):
        size += 1
    return {each: each[-size:] for each in ids}


def local_time() -> datetime:
    """Now, in the reader's own zone."""
    return datetime.fromtimestamp(time.time(), tz=UTC).astimezone()


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned, and cut to the width of the terminal; no titles for no rows."""
    table = [tuple(titles), *map(tuple, rows)]
    room, colour = columns(), wants_colour()
    if room is not None and WHERE in titles:
        table = _narrowed(table, titles.index(WHERE), room)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = _GAP.join(cells).rstrip()
        if room is not None and len(line) > room:
            line = f"{line[: room - 1]}…"
        write(paint(line, BOLD, colour=colour and not number))


def _narrowed(table: list[tuple[str, ...]], place: int, room: int) -> list[tuple[str, ...]]:
    """Cut destinations that have no room at their beginning: the end says whose they are."""
    columns_before = list(zip(*table, strict=True))[:place]
    before = sum(max(map(len, column)) + len(_GAP) for column in columns_before)
    most = max(len(WHERE), room - before - len(_GAP) - 1)

    def cut(cell: str) -> str:
        return cell if len(cell) <= most else f"…{cell[1 - most :]}"

    return [(*row[:place], cut(row[place]), *row[place + 1 :]) for row in table]


def print_found(
    found: Sequence[Found],
    *,
    as_json: bool,
    nothing: str,
    key: str,
    cells: Mapping[str, Callable[[Document], str]],
) -> None:
    """One line each: as JSON, or its shortened id (`key`) and what stands below each title."""
    if as_json:
        for one in found:
            print_json(one.as_json())
    elif not found:
        write(nothing)
    else:
        ids = short_ids([one.document[key] for one in found])
        print_rows(
            ("ID", *cells),
            ((ids[told[key]], *(cell(told) for cell in cells.values())) for _, told in found),
        )


def print_json(document: Document) -> None:
    """One line, keys sorted."""
    write(json.dumps(document, sort_keys=True, ensure_ascii=False))


def _fits(whole: str, wanted: str) -> bool:
    if whole == wanted:
        return True
    return len(wanted) >= _SHORTEST and (whole.startswith(wanted) or whole.endswith(wanted))
