"""Audit records as CSV (RFC 4180), for spreadsheets. Pure.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and a host may be
called so. Such text gets an apostrophe in front, which spreadsheets don't show (OWASP, "CSV
injection"); numbers stay numbers. The columns are always the same: what has none of its own is
JSON in the last one.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from otel import attributes as a
from otel import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel import Record, Value

COLUMNS = (
    a.EVENT_TIMESTAMP,
    a.EVENT_NAME,
    a.POLICY_DECISION,
    a.POLICY_REASON,
    a.POLICY_SOURCE,
    a.SERVER_ADDRESS,
    a.SERVER_PORT,
    a.TRANSPORT_PROTOCOL,
    a.REQUEST_METHOD,
    a.POLICY_RULE,
    a.POLICY_EXPLANATION,
    a.PEER_ADDRESS,
    a.BYTES_SENT,
    a.BYTES_RECEIVED,
    a.CONNECTION_DURATION,
    a.CLOSE_REASON,
    a.ERROR_TYPE,
    a.REVIEWER_ID,
    a.REVIEW_VERDICT,
    a.REVIEW_SCOPE,
    a.CLIENT_ADDRESS,
    a.SESSION_ID,
    a.EXECUTION_ID,
    a.CONNECTION_ID,
    a.APPROVAL_ID,
    a.RECORD_UID,
)
OTHER = "other"
_OWN = frozenset(COLUMNS)
# Also the full-width forms, which some spreadsheets fold. Control characters can't come this far.
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001  # meant


def header() -> str:
    """The names of the columns, without a line end."""
    return _line([*COLUMNS, OTHER])


def row(record: Record) -> str:
    """One record, without a line end: RFC 4180 ends each with CRLF."""
    values = flat(record)
    other = {
        name: value for name, value in values.items() if name not in _OWN and value is not None
    }
    cells = [_cell(values.get(name)) for name in COLUMNS]
    return _line([*cells, _json(other) if other else ""])


def _json(values: Mapping[str, Value]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case tuple():
            return _cell("; ".join(value))
        case _:
            return f"'{value}" if value.lstrip().startswith(_FORMULAS) else value


def _line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
