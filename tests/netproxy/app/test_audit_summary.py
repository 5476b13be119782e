"""A journal in figures, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.audit_summary import Summary, Where
from otel import attributes as a
from otel.events import EVENTS
from tests.support.journals import read_record

if TYPE_CHECKING:
    from otel import Value

ALLOW: dict[str, Value] = {
    a.POLICY_DECISION: "allow",
    a.POLICY_REASON: "allowed_by_rule",
    a.POLICY_OVERRIDE: False,
    a.TRANSPORT_PROTOCOL: "https",
    a.SERVER_ADDRESS: "a.test",
    a.SERVER_PORT: 443,
    a.EXECUTION_ID: "r-1",
}
DENY: dict[str, Value] = {
    **ALLOW,
    a.POLICY_DECISION: "deny",
    a.POLICY_REASON: "not_allowed",
    a.SERVER_ADDRESS: "b.test",
}


def summary(*records: tuple[str, dict[str, Value]]) -> Summary:
    made = Summary()
    for name, values in records:
        made.add(read_record(values, name=f"netproxy.{name}"))
    return made


def test_decisions_and_what_flowed() -> None:
    closed: dict[str, Value] = {
        **ALLOW,
        a.BYTES_SENT: 3,
        a.BYTES_RECEIVED: 5,
        a.CLOSE_REASON: "finished",
    }
    made = summary(
        ("policy_decision", ALLOW), ("policy_decision", DENY), ("connection.closed", closed)
    )
    assert (made.decisions.allowed, made.decisions.denied) == (1, 1)
    assert (made.decisions.sent, made.decisions.received) == (3, 5)
    assert made.reasons == {("allow", "allowed_by_rule"): 1, ("deny", "not_allowed"): 1}
    [(first, tally), (second, _)] = made.destinations.top()
    assert (first, tally.sent, second) == (Where("a.test", 443), 3, Where("b.test", 443))
    [((where, reason), denied)] = made.denials.top()
    assert (str(where), reason, denied.denied) == ("b.test:443", "not_allowed", 1)
    [(run, of_run)] = made.runs.top()
    assert (run, of_run.allowed, of_run.denied, of_run.received) == ("r-1", 1, 1, 5)
    [(_, step)] = made.timeline.steps()
    assert (step.allowed, step.denied, step.received) == (1, 1, 5)


def test_a_run() -> None:
    of: dict[str, Value] = {a.EXECUTION_ID: "r-1", a.SESSION_ID: "s-1"}
    made = summary(
        ("run.started", {**of, a.PROCESS_EXECUTABLE: "pip", a.USER_ID: "1000"}),
        ("run.cancelled", {**of, a.POLICY_REASON: "denied_by_rule"}),
        ("run.exited", {**of, a.PROCESS_EXIT_CODE: 77, a.RUN_DURATION: 12}),
    )
    [(_, run)] = made.runs.top()
    assert (run.executable, run.user, run.session) == ("pip", "1000", "s-1")
    assert (run.status, run.duration_ms, run.cancelled_for) == (77, 12, "denied_by_rule")


def test_what_people_were_asked() -> None:
    answer: dict[str, Value] = {a.REVIEWER_ID: "anna", a.REVIEW_VERDICT: "deny"}
    made = summary(
        ("approval.requested", {}),
        ("approval.reviewed", answer),
        ("approval.resolved", {a.APPROVAL_STATE: "denied", a.APPROVAL_DURATION: 900}),
        ("approval.waiter_left", {a.WAIT_REASON: "hold_timeout"}),
        ("grant.created", {}),
    ).approvals
    assert (made.asked, made.granted) == (1, 1)
    assert made.answers == {("anna", "deny"): 1}
    assert (made.ends, made.left) == ({"denied": 1}, {"hold_timeout": 1})
    assert made.waited_ms.middle == 900


def test_what_the_trail_says_of_itself() -> None:
    made = summary(
        ("gateway.started", {a.SHUTDOWN: "clean"}),
        ("gateway.started", {a.SHUTDOWN: "unclean"}),
        ("audit.gap", {a.GAP_LOST: 7, a.ERROR_TYPE: "ENOSPC"}),
        ("audit.gap", {a.GAP_LOST: -1, a.ERROR_TYPE: "EIO"}),
        ("audit.integrity_failed", {a.INTEGRITY_KIND: "hash", a.INTEGRITY_PLACE: "f:3"}),
        ("clock.jump", {a.CLOCK_DELTA: -5}),
        ("audit.segment_removed", {a.SEGMENT_NAME: "00000001.jsonl"}),
        ("audit.export_state", {a.EXPORT_SINK: "otlp", a.EXPORT_STATE: "stalled"}),
        ("audit.space", {a.SPACE_STATE: "low"}),
        ("config.rejected", {a.ERROR_TYPE: "invalid"}),
    ).trail
    assert (made.starts, made.unclean_starts) == (2, 1)
    assert (made.gaps, made.lost, made.unknown_gaps) == (2, 7, 1)
    assert (made.integrity_failures, made.clock_jumps, made.removed_segments) == (1, 1, 1)
    assert made.rejected_settings == 1
    assert [what for _, _, what in made.notes] == [
        "the run before it did not end in order",
        "7 records missing: ENOSPC",
        "records missing: EIO",
        "hash at f:3",
        "by -5 ms",
        "00000001.jsonl",
        "otlp stalled, 0 behind",
        "low",
        "invalid",
    ]


def test_the_rest() -> None:
    made = summary(
        ("connection.failed", {a.ERROR_TYPE: "dns_error"}),
        ("dial.refused", {}),
        ("clients.turned_away", {a.LIMIT_NAME: "descriptors", a.LIMIT_REFUSED: 12}),
        ("nothing.we.know", {}),
    )
    assert made.failures == {"dns_error": 1}
    assert made.dials_refused == 1
    assert made.turned_away == {"descriptors": 12}
    assert made.records == 4


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just(("a", "b"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([kind.name for kind in EVENTS]),
            st.dictionaries(
                st.sampled_from(sorted({name for kind in EVENTS for name in kind.fields.values()})),
                VALUES,
            ),
        ),
        max_size=8,
    )
)
def test_a_journal_that_was_made_up_is_counted_all_the_same(
    records: list[tuple[str, dict[str, Value]]],
) -> None:
    made = Summary()
    for name, values in records:
        made.add(read_record(values, name=name))
    assert made.records == len(records)


@pytest.mark.parametrize("attribute", [a.POLICY_REASON, a.TRANSPORT_PROTOCOL])
def test_words_without_end_are_counted_together(attribute: str) -> None:
    made = summary(
        *(("policy_decision", {**DENY, attribute: f"word-{number}"}) for number in range(500))
    )
    assert len(made.reasons) + len(made.protocols) < 210
    assert made.decisions.denied == 500


def test_notes_without_end_are_cut() -> None:
    assert len(summary(*([("clock.jump", {})] * 500)).trail.notes) == 100
