"""What forms do, and what becomes of those that come late or say what they may not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.errors import InvalidAnswer, StoreUnavailable
from approvals.model import Budget, Scope, Status, Verdict
from approvals.web.views import Item
from otel.events import ReviewRejected
from tests.support.approvals import ListSink, answer, asking, grant
from tests.support.inbox import FakeInbox, question
from tests.support.web_visit import visit

if TYPE_CHECKING:
    from approvals.errors import ApprovalError
    from tests.support.web_visit import Visit

HOSTS = {"a-1": "pypi.org", "a-2": "files.example.org"}


def sink(visited: Visit) -> ListSink:
    made = visited.site.sink
    assert isinstance(made, ListSink)
    return made


def two() -> FakeInbox:
    return FakeInbox(*(question(one, asking(host)) for one, host in HOSTS.items()))


def items(inbox: FakeInbox, *ids: str) -> list[tuple[str, str]]:
    return [("item", Item.of(inbox.standing[one]).text) for one in ids]


def test_one_question_is_answered() -> None:
    async def main() -> None:
        inbox = two()
        async with visit(inbox) as anna:
            await anna.sign_in()
            form = [*items(inbox, "a-1"), ("answer", "deny.session.stop"), ("comment", " no! ")]
            done = await anna.post("/answers", form)
            assert (done.status, done.fields["location"]) == (303, "/")
            page = (await anna.get("/")).body.decode()
            assert "https://pypi.org:443: denied for this session by anna (web)" in page
        ((one, said),) = inbox.decided
        assert (one, said.verdict, said.scope, said.cancel) == (
            "a-1", Verdict.DENY, Scope.SESSION, True,
        )  # fmt: skip
        assert (said.comment, said.reviewer, said.channel) == ("no!", "anna", "web")
        assert (said.seen_join_no, said.seen_version) == (1, 1)
        assert said.seen_digest == question("a-1", asking("pypi.org")).digest

    asyncio.run(main())


def test_limits_of_a_yes_are_kept_and_of_no_other_answer() -> None:
    async def main() -> None:
        limits = [("connections", "5"), ("megabytes", "2")]
        for value, expected in (
            ("allow.session.continue", Budget(connections=5, bytes=2_000_000)),
            ("allow.once.continue", None),
            ("deny.once.stop", None),
        ):
            inbox = two()
            async with visit(inbox) as anna:
                await anna.sign_in()
                form = [*items(inbox, "a-1"), ("answer", value), ("back", "story"), *limits]
                assert (await anna.post("/answers", form)).fields["location"] == "/approvals/a-1"
            assert inbox.decided[0][1].budget == expected

    asyncio.run(main())


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("answer", "deny.once.stop")],
        [("item", "a-1"), ("answer", "deny.once.stop")],
        [("item", "a-1:1:1:x"), ("item", "nonsense"), ("answer", "deny.once.stop")],
        [("item", "a-1:1:1:x"), ("item", "a-1:1:1:x"), ("answer", "deny.once.stop")],
        [("item", "a-1:1:1:x")],
        [("item", "a-1:1:1:x"), ("answer", "allow.ever.continue")],
        [("item", "a-1:1:1:x"), ("answer", "deny.once.stop"), ("answer", "allow.once.continue")],
        [("item", "a-1:1:1:x"), ("answer", "deny.once.stop"), ("comment", "x" * 2001)],
        [("item", "a-1:1:1:x"), ("answer", "allow.session.continue"), ("connections", "0")],
        [("item", "a-1:1:1:x"), ("answer", "allow.session.continue"), ("megabytes", "-1")],
        [("item", "a-1:1:1:x"), ("answer", "allow.session.continue"), ("megabytes", "٣")],
        [("item", "a-1:1:1:x"), ("answer", "allow.always.continue"), ("megabytes", "1")],
    ],
)
def test_what_no_form_of_ours_says_answers_nothing(form: list[tuple[str, str]]) -> None:
    async def main() -> None:
        inbox = two()
        async with visit(inbox) as anna:
            await anna.sign_in()
            assert (await anna.post("/answers", form)).status == 422
        assert inbox.decided == []

    asyncio.run(main())


def test_a_group_is_answered_one_by_one_inside() -> None:
    """Two answered, one that somebody else had: each says what became of it."""

    async def main() -> None:
        inbox = two()
        async with visit(inbox) as anna:
            await anna.sign_in()
            form = [*items(inbox, "a-1", "a-2"), ("answer", "allow.once.continue")]
            inbox.resolve("a-2", Status.DENIED, answer(Verdict.DENY, reviewer="<ben>"))
            told = await anna.post("/answers", form)
            page = told.body.decode()
            assert told.status == 409
            assert "Not all were answered" in page
            assert "allowed once by anna (web)" in page
            assert "is over already: denied by &lt;ben&gt; (fake)" in page
            (event,) = sink(anna).events[1:]  # behind the sign-in
            assert event == ReviewRejected(
                approval_id="a-2", channel="web", reviewer="anna", reason="already_resolved"
            )
        assert [one for one, _ in inbox.decided] == ["a-1"]

    asyncio.run(main())


def test_a_stale_form_shows_what_is_so_now() -> None:
    async def main() -> None:
        inbox = two()
        async with visit(inbox) as anna:
            await anna.sign_in()
            (named,) = items(inbox, "a-1")
            old = [("item", named[1].replace("a-1:1:", "a-1:0:"))]
            told = await anna.post("/answers", [*old, ("answer", "allow.once.continue")])
            assert told.status == 409
            assert b"has changed since that page was made: 1 request waits. Look" in told.body
            other = [("item", named[1][:-3] + "000")]
            assert (
                await anna.post("/answers", [*other, ("answer", "deny.once.stop")])
            ).status == 409
        assert inbox.decided == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (StoreUnavailable("disk /secret/path"), 503, b"nothing was changed"),
        (InvalidAnswer("a yes may not be given for the session here"), 422, b"may not be given"),
    ],
)
def test_what_went_wrong_is_said(error: ApprovalError, status: int, text: bytes) -> None:
    async def main() -> None:
        inbox = two()
        async with visit(inbox) as anna:
            await anna.sign_in()
            form = [*items(inbox, "a-1"), ("answer", "allow.session.continue")]
            inbox.broken = error
            told = await anna.post("/answers", form)
            assert told.status == status
            assert text in told.body
            assert b"/secret/path" not in told.body

    asyncio.run(main())


def test_a_question_that_nobody_knows_is_said_to_be_none() -> None:
    async def main() -> None:
        async with visit(two()) as anna:
            await anna.sign_in()
            form = [("item", "a-9:1:1:x"), ("answer", "deny.once.stop")]
            assert (await anna.post("/answers", form)).status == 404

    asyncio.run(main())


def test_a_grant_is_revoked_by_a_post_and_once() -> None:
    async def main() -> None:
        inbox = two()
        inbox.hold(grant())
        async with visit(inbox) as anna:
            await anna.sign_in()
            assert (await anna.get("/grants/g-1/revoke")).status == 405
            done = await anna.post("/grants/g-1/revoke")
            assert (done.status, done.fields["location"]) == (303, "/grants")
            assert b"https://pypi.org:443: revoked" in (await anna.get("/grants")).body
            assert (await anna.post("/grants/g-1/revoke")).status == 404
        assert inbox.revoked == [("g-1", "anna", "web", None)]

    asyncio.run(main())
