from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.cli.audit_lines import record_line, verdict_lines
from otel import Finding, Kind, Record, Value, Verdict

TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT).map(tuple)


def record(attributes: dict[str, Value], severity: int = 9) -> Record:
    return Record(
        writer="w-01JD2QABCDEFGHJKMNPQRSTVWX",
        seq=1,
        uid="e-1-1",
        timestamp="2026-01-02T03:04:05.678Z",
        mono_ns=1,
        name="netproxy.run.exited",
        severity=severity,
        attributes=attributes,
        previous=b"",
        digest=b"",
        expected_digest=b"",
    )


@given(
    st.dictionaries(
        st.sampled_from(["server.address", "network.policy.decision", "process.pid"]) | TEXT, VALUES
    )
)
def test_a_line_never_acts_on_the_terminal(attributes: dict[str, Value]) -> None:
    """Even without the journal's own redaction."""
    assert record_line(record(attributes), colour=False).isprintable()


def test_what_says_nothing_is_left_out() -> None:
    values: dict[str, Value] = {"process.exit.code": 0, "session.id": "s-1", "x": None, "y": ()}
    assert record_line(record(values), colour=False) == (
        "2026-01-02 03:04:05.678Z  run.exited  process.exit.code=0"
    )


def test_warnings_stand_out() -> None:
    assert "\x1b[33mrun.exited\x1b[0m" in record_line(record({}, severity=13), colour=True)


def test_a_thousand_findings_are_not_a_thousand_lines() -> None:
    finding = Finding(kind=Kind.GAP, file="f\x1b", line=1, seq=None, message="m")
    verdict = Verdict(writer="w-1", records=1, live=True, findings=(finding,) * 1000)
    lines = list(verdict_lines(verdict))
    assert lines[0] == "BROKEN w-1: 1 records, being written now"
    assert lines[1] == "  f\\u001b:1: gap: m"
    assert lines[-1] == "  and 980 more"
    assert len(lines) == 22
