"""Records become counts; whatever else stands in a journal is passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from netproxy.app.cli.policy_journal import (
    Span,
    add_journal_options,
    counted,
    read_history,
    span,
)
from netproxy.app.cli.usage import UsageParser
from otel import attributes as a
from otel import read
from otel.events import ConnectionOpened, DialRefused, Event, GatewayStopped
from tests.support.decisions import decided, write_events
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from netproxy.policy.history import History


def opened(peer: str, host: str = "a.example") -> ConnectionOpened:
    return ConnectionOpened(
        connection_id="c-1", server_address=host, server_port=443, peer_address=peer
    )


def refused(*addresses: str) -> DialRefused:
    return DialRefused(
        connection_id="c-1",
        server_address="a.example",
        server_port=443,
        reason="not_allowed_local",
        addresses=addresses,
    )


def history(folder: Path, *events: Event, wanted: Span | None = None) -> History:
    return read_history(write_events(folder, *events), wanted or Span())


def test_decisions_are_counted(tmp_path: Path) -> None:
    made = history(
        tmp_path,
        decided("example.com"),
        decided("example.com"),
        decided("b.example"),
        GatewayStopped(),
    )
    assert [(key.destination.host, tally.count) for key, tally in made.decisions.items()] == [
        ("example.com", 2),
        ("b.example", 1),
    ]


def test_addresses_are_remembered(tmp_path: Path) -> None:
    made = history(
        tmp_path,
        opened("93.184.216.34:443"),
        opened("[2606:4700::1]:443"),
        opened("unknown"),
        opened("8.8.8.8:443", host="8.8.8.8"),
        refused("10.0.0.1 (private)", "fd00::1 (private)", "?"),
    )
    assert set(made.dials) == {
        ("a.example", 443, "93.184.216.34", True),
        ("a.example", 443, "2606:4700::1", True),
        ("a.example", 443, "10.0.0.1", False),
        ("a.example", 443, "fd00::1", False),
    }


def test_only_the_span_counts(tmp_path: Path) -> None:
    names = [f"{name}.example" for name in "abcd"]
    second, third = (f"2026-01-02T03:04:05.{ms}Z" for ms in ("680", "681"))
    wanted = Span(since=second, until=third)
    made = history(tmp_path, *map(decided, names), wanted=wanted)
    assert {each.host for each in made.destinations()} == {"b.example", "c.example"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (a.SERVER_ADDRESS, None),
        (a.SERVER_ADDRESS, 7),
        (a.SERVER_PORT, "443"),
        (a.SERVER_PORT, True),
        (a.TRANSPORT_PROTOCOL, ("https",)),
        (a.REQUEST_METHOD, None),
        (a.POLICY_SOURCE, False),
        (a.POLICY_DECISION, 1),
        (a.POLICY_REASON, None),
    ],
    ids=str,
)
def test_a_record_with_a_strange_value_is_malformed(tmp_path: Path, name: str, value: Any) -> None:
    write_events(tmp_path, decided("example.com"))
    records = [
        replace(record, attributes={**record.attributes, name: value})
        for record in read(tmp_path, print)
    ]
    made = counted(records, Span())
    assert (made.malformed, made.decisions) == (1, {})


def test_strange_dials_are_passed_over(tmp_path: Path) -> None:
    write_events(tmp_path, opened("8.8.8.8:443"), refused("10.0.0.1 (private)"))
    for strange in ({a.SERVER_ADDRESS: 7}, {a.SERVER_PORT: "x"}, {a.DIAL_REFUSED: "10.0.0.1 ("}):
        records = [
            replace(record, attributes={**record.attributes, **strange})
            for record in read(tmp_path, print)
        ]
        assert len(counted(records, Span()).dials) == (1 if a.DIAL_REFUSED in strange else 0)


def test_damage_is_told_and_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = write_journal(tmp_path, 3)
    segment = segment_of(tmp_path, writer)
    segment.write_bytes(segment.read_bytes().replace(b'"h2.example"', b'"h2\x1b[2Jexample"'))
    made = read_history(tmp_path, Span())
    assert len(made.decisions) == 2
    told = capsys.readouterr().err
    assert told.startswith("netproxy: audit: ")
    assert "\x1b" not in told


def test_without_a_journal_it_leaves_with_66(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        read_history(tmp_path / "none", Span())
    assert left.value.code == 66
    assert "no audit journal" in capsys.readouterr().err


def parser() -> argparse.ArgumentParser:
    made = UsageParser(prog="netproxy policy replay")
    add_journal_options(made)
    return made


def test_the_span_that_is_given() -> None:
    asked = parser().parse_args(["--since", "2026-01-02", "--audit-dir", "/j"])
    assert span(asked, parser()) == Span(since="2026-01-02T00:00:00.000Z")
    assert str(asked.audit) == "/j"


@pytest.mark.parametrize("words", [["--until", "soon"], ["--since", ""], ["--until", ""]])
def test_a_time_that_is_none(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        span(parser().parse_args(words), parser())
    assert left.value.code == 64
    assert "a time is 2026-01-02" in capsys.readouterr().err
