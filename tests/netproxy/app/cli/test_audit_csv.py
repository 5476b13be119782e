"""RFC 4180, and nothing that a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.cli.audit_csv import COLUMNS, OTHER, header, row
from otel import Value
from otel import attributes as a
from tests.support.journals import read_record

VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8"))
    | st.lists(st.text(st.characters(codec="utf-8"))).map(tuple)
)


def cells(line: str) -> dict[str, str]:
    rows = list(csv.reader(io.StringIO(f"{header()}\r\n{line}\r\n"), strict=True))
    assert len(rows) == 2
    return dict(zip(*rows, strict=True))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\uff1d", "\uff20"])
@pytest.mark.parametrize("attribute", [a.SERVER_ADDRESS, a.POLICY_EXPLANATION])
def test_no_cell_is_a_formula(start: str, attribute: str) -> None:
    text = f'{start}HYPERLINK("http://a.test/","x")'
    found = cells(row(read_record({attribute: text})))
    assert found[attribute] == f"'{text}"


def test_numbers_stay_numbers() -> None:
    found = cells(row(read_record({a.SERVER_PORT: -1, a.POLICY_OVERRIDE: True})))
    assert found[a.SERVER_PORT] == "-1"
    assert json.loads(found[OTHER]) == {a.POLICY_OVERRIDE: True}


def test_what_has_no_column_is_in_the_last() -> None:
    found = cells(row(read_record({a.PROCESS_EXIT_CODE: 7, a.SANDBOX_PLAN: ("a", "b"), "x": None})))
    assert json.loads(found[OTHER]) == {a.PROCESS_EXIT_CODE: 7, a.SANDBOX_PLAN: ["a", "b"]}


@given(st.dictionaries(st.sampled_from(COLUMNS[2:]) | st.text(min_size=1), VALUES))
def test_every_row_is_one_row_with_every_cell(attributes: dict[str, Value]) -> None:
    found = cells(row(read_record(attributes)))
    assert set(found) == {*COLUMNS, OTHER}
    for name, text in found.items():
        own = attributes.get(name)
        plain = type(own) is int or name == OTHER
        assert plain or not text.lstrip().startswith(("=", "+", "-", "@"))
