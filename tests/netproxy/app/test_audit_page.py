"""The report: what it says, and that nothing in it can do anything."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.audit_export_state import SinkState
from netproxy.app.audit_page import Check, Report, page
from netproxy.app.audit_summary import Summary
from otel import attributes as a
from tests.support.journals import read_record
from tests.support.pages import assert_inert

if TYPE_CHECKING:
    from otel import Record

CHECK = Check(writer="w-1", records=3, holds=True, is_well=True, told="no anchor", findings=())
SINK = SinkState(
    label="otlp",
    lag_records=3,
    lag_ms=2000,
    delivered=1,
    rejected=0,
    stalled=True,
    error="refused",
)


def report(*records: Record, checks: tuple[Check, ...] = (CHECK,)) -> str:
    summary = Summary()
    for record in records:
        summary.add(record)
    return page(
        Report(
            summary=summary,
            checks=checks,
            sinks=(SINK,),
            directory="/audit",
            period="today",
            made_at="now",
        )
    )


def decision(text: str) -> Record:
    return read_record(
        {
            a.POLICY_DECISION: "deny",
            a.POLICY_REASON: text,
            a.SERVER_ADDRESS: text,
            a.SERVER_PORT: 443,
            a.EXECUTION_ID: text,
            a.TRANSPORT_PROTOCOL: text,
        },
        name="netproxy.policy_decision",
    )


def about(text: str) -> list[Record]:
    """Every kind of text that the page shows."""
    return [
        decision(text),
        read_record(
            {a.REVIEWER_ID: text, a.REVIEW_VERDICT: text}, name="netproxy.approval.reviewed"
        ),
        read_record({}, name="netproxy.approval.requested"),
        read_record({a.APPROVAL_STATE: text}, name="netproxy.approval.resolved"),
        read_record({a.ERROR_TYPE: text}, name="netproxy.connection.failed"),
        read_record({a.CLOSE_REASON: text}, name="netproxy.connection.closed"),
        read_record(
            {a.EXECUTION_ID: text, a.PROCESS_EXECUTABLE: text, a.USER_NAME: text},
            name="netproxy.run.started",
        ),
        read_record({a.ERROR_TYPE: text, a.GAP_LOST: 1}, name="netproxy.audit.gap"),
        read_record({a.LIMIT_NAME: text, a.LIMIT_REFUSED: 1}, name="netproxy.clients.turned_away"),
    ]


@given(
    st.text(st.characters(exclude_categories=()), max_size=20)
    | st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</style><script>",
            "</title><base href=//evil.test>",
            "<!--",
            "&lt;b&gt;",
            "javascript:alert(1)",
            "\x1b[2J\u202e\x00",
        ]
    )
)
def test_no_text_becomes_markup(text: str) -> None:
    made = report(*about(text), checks=(Check(
        writer=text, records=1, holds=False, is_well=False, told=text, findings=(text,)
    ),))  # fmt: skip
    assert_inert(made)
    assert all(line.isprintable() for line in made.split("\n"))


def test_its_policy_lets_nothing_in_but_its_own_style() -> None:
    made = report()
    [style] = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;; "
    assert f'http-equiv="Content-Security-Policy" content="{policy}' in made
    assert made.index("Content-Security-Policy") < made.index("<style>")


def test_the_verdicts_come_first() -> None:
    text = assert_inert(report(decision("a.test"))).text
    assert text.index("Integrity") < text.index("Completeness") < text.index("requests")
    assert "holds in 1 chain" in text
    assert "no gap is on record" in text
    assert "Export to otlp 3 records behind, 2 s, stands still: refused" in text


def test_a_session_of_a_service_is_no_run_without_an_end() -> None:
    started = read_record(
        {a.EXECUTION_ID: "r-1", a.PROCESS_EXECUTABLE: "pip"}, name="netproxy.run.started"
    )
    assert "no end on record" in assert_inert(report(started, decision("a.test"))).text
    text = assert_inert(report(decision("a.test"))).text
    assert "a service, or begun before" in text
    assert "no end on record" not in text


def test_what_is_wrong_is_said_at_the_top() -> None:
    broken = Check(
        writer="w-2", records=1, holds=False, is_well=False, told="", findings=("f:2: edited",)
    )
    gap = read_record({a.GAP_LOST: 7, a.ERROR_TYPE: "ENOSPC"}, name="netproxy.audit.gap")
    text = assert_inert(report(gap, checks=(CHECK, broken))).text
    assert "broken in 1 of 2 chains" in text
    assert "1 gap in this period: 7 records lost" in text
    assert "f:2: edited" in text
    assert "7 records missing: ENOSPC" in text


def test_what_takes_an_anchor_is_neither_well_nor_wrong() -> None:
    assert re.search(r'<p class="open">.*?<strong>Completeness</strong>', report())


def test_a_period_without_records() -> None:
    assert "No records in this period." in assert_inert(report()).text


def test_a_period_in_which_connections_end_that_were_asked_for_before_it() -> None:
    closed = read_record(
        {a.SERVER_ADDRESS: "a.test", a.SERVER_PORT: 443, a.BYTES_SENT: 7},
        name="netproxy.connection.closed",
    )
    assert "a.test:443" in assert_inert(report(closed)).text


def test_a_long_destination_shows_whose_it_is() -> None:
    name = ".".join(["a" * 62] * 3) + ".owner.example"
    assert f">{name}:443<" in report(decision(name)), "a name is shown to its end"
    endless = "b" * 500 + ".owner.example"
    shown = report(decision(endless))
    assert re.search(r">…b+\.owner\.example:443<", shown)
    assert endless not in shown
