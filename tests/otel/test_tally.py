"""What is counted, and that nothing a stranger says becomes a series of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import events
from otel.tally import OTHER, SERIES, WAIT_BOUNDS, Histogram, Tally
from tests.support.journals import decision

if TYPE_CHECKING:
    from otel.events import Event


def counted(*given: Event) -> Tally:
    tally = Tally()
    watchers = tally.watchers()
    for event in given:
        watchers[type(event)](event)
    return tally


def decided(decision: str, reason: str, source: str = "baseline_policy") -> events.PolicyDecision:
    return events.PolicyDecision(
        connection_id="c-1", client_address="127.0.0.1:1", server_address="a.test", server_port=443,
        protocol="https", method="CONNECT", scope="domain", decision=decision, source=source,
        reason=reason, override=False,
    )  # fmt: skip


def closed(reason: str, sent: int, received: int) -> events.ConnectionClosed:
    return events.ConnectionClosed(
        connection_id="c-1", server_address="a.test", server_port=443, bytes_sent=sent,
        bytes_received=received, duration_ms=1, close_reason=reason,
    )  # fmt: skip


def resolved(state: str, milliseconds: int) -> events.ApprovalResolved:
    return events.ApprovalResolved(
        approval_id="a-1", state=state, waiters=1, duration_ms=milliseconds
    )


def test_decisions_by_their_words() -> None:
    tally = counted(
        decided("allow", "allowed_by_rule"),
        decided("deny", "not_allowed"),
        decided("allow", "allowed_by_rule"),
    )
    assert tally.decisions == {
        ("allow", "baseline_policy", "allowed_by_rule"): 2,
        ("deny", "baseline_policy", "not_allowed"): 1,
    }


def test_connections_and_their_bytes() -> None:
    opened = events.ConnectionOpened(
        connection_id="c-1", server_address="a.test", server_port=443, peer_address="192.0.2.1:443"
    )
    failed = events.ConnectionFailed(
        connection_id="c-2", server_address="a.test", server_port=443, error_type="dns_error"
    )
    many = events.ClientsTurnedAway(limit="credentials", count=7, client_address="127.0.0.1:1")
    tally = counted(opened, closed("finished", 3, 4), closed("idle", 10, 0), failed, many)
    assert tally.opened == 1
    assert tally.closed == {"finished": 1, "idle": 1}
    assert (tally.bytes_sent, tally.bytes_received) == (13, 4)
    assert tally.failed == {"dns_error": 1}
    assert tally.turned_away == {"credentials": 7}


def test_a_run_is_cancelled_once() -> None:
    phases = [
        events.RunCancelled(phase=phase, cause="c-1", reason="not_allowed")
        for phase in ("requested", "terminated", "killed")
    ]
    assert counted(*phases).cancelled == {"not_allowed": 1}


def test_questions_are_pending_until_they_are_resolved() -> None:
    asked = events.ApprovalRequested(
        approval_id="a-1", server_address="a.test", server_port=443, protocol="https",
        expires_at="2026-01-01T00:00:00.000Z",
    )  # fmt: skip
    assert counted(asked, asked).pending == 2
    tally = counted(asked, asked, resolved("granted", 4_000))
    assert tally.pending == 1
    assert tally.waits["granted"].counts == [0, 0, 1, *[0] * (len(WAIT_BOUNDS) - 2)]
    assert tally.waits["granted"].total == 4.0
    # Asked before anybody counted.
    assert counted(resolved("expired", 1)).pending == 0


def test_what_somebody_should_look_at() -> None:
    gap = events.AuditGap(error_type="ENOSPC", lost=3)
    states = [
        events.ExportState(sink="s", state=state, lag_records=1, lag_ms=1, rejected=0)
        for state in ("stalled", "recovered")
    ]
    alarms = counted(gap, gap, *states).alarms
    assert {name: count for name, count in alarms.items() if count} == {
        "netproxy.audit.gap": 2,
        "netproxy.audit.export_state": 1,
    }
    assert "netproxy.audit.integrity_failed" in alarms, "a rule finds the first one, too"


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
def test_a_bound_belongs_to_what_is_below_it(value: float) -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.add(value)
    expected = [value <= 1.0, 1.0 < value <= 2.0, value > 2.0]
    assert histogram.counts == [int(each) for each in expected]
    assert histogram.total == value


def test_whatever_words_come_there_is_an_end_to_series() -> None:
    """Words come from closed sets; if one ever did not, it must not become a series for each."""
    words = [f"h{number}.attacker.test" for number in range(SERIES * 3)]
    hostile = [
        event
        for word in words
        for event in (
            decided("deny", word, word), closed(word, 1, 1), resolved(word, 1),
            events.RunCancelled(phase="requested", cause="c-1", reason=word),
        )
    ]  # fmt: skip
    tally = counted(*hostile)
    for counts in (tally.decisions, tally.closed, tally.waits, tally.cancelled):
        assert len(counts) == SERIES + 1
    assert tally.closed[OTHER] == len(words) - SERIES
    assert tally.decisions["deny", OTHER, OTHER] == len(words) - SERIES
    assert sum(tally.waits[OTHER].counts) == len(words) - SERIES


@given(st.text(), st.text())
def test_hosts_and_users_have_no_place_in_it(host: str, client: str) -> None:
    tally = counted(decision(host), decision(client))
    assert len(tally.decisions) == 1
