from __future__ import annotations

import pytest

from approvals.model import GrantEnd, Leaving, Limit, Question, Rejection, Status
from approvals.trail import Trail
from otel import AuditUnavailable
from otel.values import replace
from tests.support.approvals import ASKING, ListSink, answer, grant
from tests.support.virtual_time import VirtualClock, run_virtual

QUESTION = Question(
    approval_id="a-1",
    asking=ASKING,
    created_at=VirtualClock.STARTED - 2.5,
    expires_at=VirtualClock.STARTED + 900,
)


def test_events_carry_what_happened() -> None:
    async def main() -> None:
        sink = ListSink()
        trail = Trail(sink, VirtualClock())
        trail.requested(QUESTION)
        assert trail.reviewed(QUESTION, answer())
        assert trail.granted(grant())
        trail.resolved(QUESTION, Status.GRANTED, 3)
        assert trail.grant_ended(grant(), GrantEnd.USED)
        trail.reviewer_failed(QUESTION, "terminal", "no terminal")
        requested, reviewed, granted, resolved, ended, failed = (
            event.attributes() for event in sink.events
        )
        assert requested["netproxy.approval.expires_at"] == "2026-01-02T03:15:00.000Z"
        assert reviewed["netproxy.reviewer.id"] == "anna"
        assert (granted["approval.id"], granted["netproxy.grant.kind"]) == ("a-1", "allow")
        assert resolved["netproxy.approval.duration_ms"] == 2500
        assert resolved["netproxy.approval.waiters"] == 3
        assert ended["netproxy.grant.end_reason"] == "used"
        assert (failed["netproxy.channel"], failed["error.type"]) == ("terminal", "no terminal")

    run_virtual(main())


def test_a_broken_trail_says_so_where_it_matters_and_is_silent_elsewhere() -> None:
    async def main() -> None:
        trail = Trail(ListSink("*"), VirtualClock())
        with pytest.raises(AuditUnavailable):
            trail.requested(QUESTION)
        assert not trail.reviewed(QUESTION, answer())
        assert not trail.granted(grant())
        assert not trail.grant_ended(grant(), GrantEnd.USED)
        trail.resolved(QUESTION, Status.DENIED, 1)

    run_virtual(main())


def test_what_is_asked_for_a_session_is_recorded_where_the_session_is() -> None:
    """A service that several sessions share must not record one under another's ids."""

    async def main() -> None:
        usual, own = ListSink(), ListSink()
        known = {QUESTION.key.session: own}
        trail = Trail(usual, VirtualClock(), sink_of=known.get)
        trail.requested(QUESTION)
        trail.reviewed(QUESTION, answer())
        trail.granted(grant())
        trail.grant_ended(grant(), GrantEnd.USED)
        trail.resolved(QUESTION, Status.GRANTED, 1)
        trail.rejected(QUESTION, Rejection.ALREADY_RESOLVED, answer())
        trail.reviewer_failed(QUESTION, "terminal", "no terminal")
        trail.flood(QUESTION.key.session, Limit.RATE, 3)
        assert (len(own.events), usual.events) == (8, [])
        trail.flood("s-other", Limit.RATE, 3)
        assert len(usual.events) == 1

    run_virtual(main())


def test_of_runs_in_one_session_each_question_is_recorded_where_the_run_is_that_asked() -> None:
    """Also its end, which comes when that run may be gone; what joined it leaves for its own."""

    async def main() -> None:
        mine, later = ListSink(), ListSink()
        known = {ASKING.run: mine, "r-later": later, QUESTION.key.session: later}
        trail = Trail(ListSink("*"), VirtualClock(), sink_of=known.get)
        trail.requested(QUESTION)
        trail.left(QUESTION, replace(ASKING, run="r-later"), Leaving.CLIENT_GONE, 1.0)
        trail.granted(grant())
        del known[ASKING.run]
        trail.reviewed(QUESTION, answer())
        trail.resolved(QUESTION, Status.WITHDRAWN, 0)
        assert mine.names == [
            "approval.requested",
            "grant.created",
            "approval.reviewed",
            "approval.resolved",
        ]
        trail.grant_ended(grant(), GrantEnd.REVOKED)
        assert later.names == ["approval.waiter_left", "grant.ended"]

    run_virtual(main())
