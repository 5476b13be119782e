"""One record, one line: what it is, where, how it went, and then the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.cli.audit_lines import record_line
from otel import Value
from otel import attributes as a
from tests.support.journals import read_record as record

TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT).map(tuple)
KNOWN = st.sampled_from(
    [
        a.SERVER_ADDRESS,
        a.SERVER_PORT,
        a.POLICY_DECISION,
        a.BYTES_SENT,
        a.RUN_DURATION,
        a.PROCESS_PID,
    ]
)
NAMES = st.sampled_from(["connection.closed", "policy_decision", "run.exited", "dial.refused", "x"])


@given(st.dictionaries(KNOWN | TEXT, VALUES), NAMES, st.none() | st.integers(1, 200))
def test_a_line_never_acts_on_the_terminal(
    attributes: dict[str, Value], name: str, width: int | None
) -> None:
    """Even without the journal's own redaction."""
    shown = record(attributes, name=f"netproxy.{name}")
    line = record_line(shown, colour=False, width=width)
    assert line.isprintable()
    assert width is None or len(line) <= width


DECISION: dict[str, Value] = {
    "network.policy.decision": "deny",
    "network.policy.reason": "not_allowed",
    "network.policy.source": "baseline_policy",
    "network.policy.override": False,
    "network.transport.protocol": "https",
    "server.address": "a.test",
    "server.port": 443,
    "netproxy.policy.explanation": "no rule matches",
    "connection.id": "c-1",
}
CLOSED: dict[str, Value] = {
    "server.address": "a.test",
    "server.port": 443,
    "netproxy.close.reason": "finished",
    "netproxy.bytes.sent": 3_605,
    "netproxy.bytes.received": 2_908_619,
    "netproxy.connection.duration_ms": 1_250,
    "connection.id": "c-1",
}


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        pytest.param(
            "policy_decision",
            DECISION,
            "deny     a.test:443                  https  not_allowed"
            '  why="no rule matches" source=baseline_policy connection=c-1',
            id="decision",
        ),
        pytest.param(
            "connection.closed",
            CLOSED,
            "closed   a.test:443                  finished  3.6 kB out  2.9 MB in"
            "  1.2 s  connection=c-1",
            id="closed",
        ),
        pytest.param(
            "run.exited",
            {"process.exit.code": 0, "session.id": "s-1", "x": None, "y": ()},
            "run.exited  status 0",
            id="what-says-nothing-is-left-out",
        ),
        pytest.param(
            "session.ended",
            {"sandbox.enforced": False},
            "session.ended  sandbox.enforced=false",
            id="without-a-sandbox",
        ),
        pytest.param("session.ended", {"sandbox.enforced": True}, "session.ended", id="with-one"),
        pytest.param(
            "audit.gap",
            {"netproxy.gap.lost": -1, "error.type": 'a" run=r-9'},
            r'audit.gap  error="a\" run=r-9" gap.lost=-1',
            id="text-that-poses-as-an-attribute",
        ),
    ],
)
def test_a_line(name: str, values: dict[str, Value], line: str) -> None:
    shown = record_line(record(values, name=f"netproxy.{name}"), colour=False)
    assert shown == f"2026-01-02 03:04:05.678Z  {line}"


def test_a_line_is_cut_to_the_terminal() -> None:
    line = record_line(record(DECISION), colour=True, width=40)
    assert line.replace("\x1b[31m", "").replace("\x1b[0m", "").replace("\x1b[2m", "") == (
        "2026-01-02 03:04:05.678Z  deny     a.te…"
    )


def test_a_long_name_does_not_hide_what_became_of_it() -> None:
    long = {**DECISION, "server.address": "an-endless-name." * 12 + "evil.test"}
    line = record_line(record(long, name="netproxy.policy_decision"), colour=False, width=90)
    assert line.startswith("2026-01-02 03:04:05.678Z  deny     …")
    assert "evil.test:443  https  not_allowed" in line


@pytest.mark.parametrize(
    ("severity", "tint"),
    [(9, "run.exited"), (13, "\x1b[33mrun.exited"), (17, "\x1b[1;31mrun.exited")],
)
def test_what_is_wrong_stands_out(severity: int, tint: str) -> None:
    assert f"  {tint}" in record_line(record({}, severity=severity), colour=True)


@pytest.mark.parametrize(
    ("port", "address", "where"),
    [
        (443, "a.test", "a.test:443"),
        (None, "a.test", "a.test"),
        (80, "2001:db8::1", "[2001:db8::1]:80"),
    ],
)
def test_where_it_was_going(port: int | None, address: str, where: str) -> None:
    """A look-up has no port."""
    values: dict[str, Value] = {"server.address": address, "server.port": port, "dns.type": "A"}
    line = record_line(record(values, name="netproxy.dns.refused"), colour=False)
    assert line.split()[2:] == ["dns.refused", where, "dns.type=A"]
