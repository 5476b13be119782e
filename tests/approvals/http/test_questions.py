"""Questions by the API: what is told, what an answer must repeat, and who may give it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from approvals.errors import StoreUnavailable
from approvals.http.identity import EVERY_PERMISSION, Identity, Permission
from approvals.model import Budget, Scope, Status, Verdict
from tests.support.approvals import ASKING, KEY, ListSink, answer
from tests.support.http_site import As, Client, Reply, api
from tests.support.inbox import FakeInbox, question

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from approvals.http.site import Site


def talk(
    inbox: FakeInbox,
    say: Callable[[Client], Coroutine[None, None, Any]],
    *,
    authenticate: As | None = None,
) -> Site:
    async def main() -> Site:
        async with api(inbox, authenticate=authenticate) as (made, client):
            await say(client)
            return made

    return asyncio.run(main())


def body(**changes: object) -> dict[str, object]:
    seen = {"version": 1, "digest": question().digest, "join_no": 1}
    return {"verdict": "allow", "scope": "once", "seen": seen, **changes}


def may(*permissions: Permission) -> As:
    return As(Identity(name="bot", channel="api", permissions=frozenset(permissions)))


def reasons(site: Site) -> list[str]:
    assert isinstance(site.sink, ListSink)
    return [each.reason for each in site.sink.events if hasattr(each, "reason")]


def test_what_is_told_of_a_question_is_what_an_answer_repeats() -> None:
    inbox = FakeInbox(question("a-1"))
    inbox.put(question("a-1"), waiting=3, joined=4)

    async def say(client: Client) -> None:
        (told,) = (await client.ask("GET", "/v1/approvals")).document["approvals"]
        assert told["request"]["destination"] == "https://pypi.org:443"
        assert (told["waiting"], told["join_no"]) == (3, 4)
        seen = {name: told[name] for name in ("version", "digest", "join_no")}
        done = await client.ask("POST", "/v1/approvals/a-1/answers", body(seen=seen))
        assert (done.status, done.document["status"]) == (200, "granted")
        assert done.document["answer"]["reviewer"] == "anna"

    talk(inbox, say)
    ((_, said),) = inbox.decided
    assert (said.seen_join_no, said.seen_version, said.channel) == (4, 1, "api")
    assert said.seen_digest == question("a-1").digest


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"scope": "run"}, {"scope": Scope.RUN}),
        ({"scope": "time", "seconds": 60}, {"scope": Scope.TIME, "seconds": 60.0}),
        (
            {"scope": "session", "budget": {"connections": 3}},
            {"scope": Scope.SESSION, "budget": Budget(connections=3, bytes=None)},
        ),
        ({"comment": "for the build"}, {"comment": "for the build"}),
        ({"comment": ""}, {"comment": None}),
        ({"verdict": "deny"}, {"verdict": Verdict.DENY, "cancel": True}),
        ({"verdict": "deny", "cancel": False}, {"verdict": Verdict.DENY, "cancel": False}),
        ({"verdict": "deny", "scope": "session"}, {"scope": Scope.SESSION}),
        ({"scope": "always"}, {"scope": Scope.ALWAYS}),
    ],
)
def test_each_field_reaches_the_service(
    given: dict[str, object], expected: dict[str, object]
) -> None:
    inbox = FakeInbox(question())

    async def say(client: Client) -> None:
        reply = await client.ask("POST", "/v1/approvals/a-1/answers", body(**given))
        assert reply.status == 200, reply.body

    talk(inbox, say)
    ((_, said),) = inbox.decided
    assert {name: getattr(said, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"verdict": None}, "verdict"),
        ({"scope": "forever"}, "scope"),
        ({"seen": None}, "seen"),
        ({"seen": {"version": 1, "digest": "x", "join_no": 1}}, "seen.digest"),
        ({"seen": {"version": True, "digest": "0" * 64, "join_no": 1}}, "seen.version"),
        ({"seen": {"version": "1", "digest": "0" * 64, "join_no": 1}}, "seen.version"),
        ({"scope": "time"}, "seconds"),
        ({"scope": "time", "seconds": 0}, "seconds"),
        ({"scope": "time", "seconds": 1e300}, "seconds"),
        ({"seconds": 5}, "seconds"),
        ({"verdict": "deny", "scope": "time", "seconds": 5}, "seconds"),
        ({"budget": {"connections": 1}}, "budget"),
        ({"scope": "session", "budget": {}}, "budget"),
        ({"scope": "session", "budget": {"connections": 0}}, "budget.connections"),
        ({"verdict": "deny", "scope": "session", "budget": {"bytes": 1}}, "budget"),
        ({"cancel": True}, "cancel"),
        ({"comment": "x" * 2001}, "comment"),
        ({"reviewer": "root"}, "reviewer"),
        ({"channel": "terminal"}, "channel"),
    ],
)
def test_a_wrong_field_is_named_and_changes_nothing(given: dict[str, object], field: str) -> None:
    inbox = FakeInbox(question())

    async def say(client: Client) -> None:
        reply = await client.ask("POST", "/v1/approvals/a-1/answers", body(**given))
        assert reply.status == 422
        assert reply.document["errors"][0]["field"] == field

    talk(inbox, say)
    assert inbox.decided == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b'{"verdict":"deny","verdict":"allow"}', 400),
        (b"[" * 5000, 400),
        (b'{"seconds":NaN}', 400),
        (b"\xff\xfe", 400),
    ],
)
def test_what_is_no_json_with_one_meaning_is_refused(data: bytes, status: int) -> None:
    async def say(client: Client) -> None:
        assert (await client.ask("POST", "/v1/approvals/a-1/answers", data)).status == status

    talk(FakeInbox(question()), say)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
def test_what_a_form_of_another_site_can_send_is_refused(kind: str) -> None:
    inbox = FakeInbox(question())

    async def say(client: Client) -> None:
        reply = await client.ask(
            "POST", "/v1/approvals/a-1/answers", body(), fields={"Content-Type": kind}
        )
        assert reply.status == 415

    talk(inbox, say)
    assert inbox.decided == []


def test_who_comes_second_is_told_who_won() -> None:
    inbox = FakeInbox(question("a-1"), question("a-2"))
    inbox.resolve("a-1", Status.DENIED, answer(Verdict.DENY, reviewer="bob"))
    inbox.resolve("a-2", Status.EXPIRED)

    async def say(client: Client) -> None:
        late = await client.ask("POST", "/v1/approvals/a-1/answers", body())
        assert (late.status, late.document["winner"]["reviewer"]) == (409, "bob")
        expired = await client.ask("POST", "/v1/approvals/a-2/answers", body())
        assert (expired.status, expired.document["state"]) == (410, "expired")
        unknown = await client.ask("POST", "/v1/approvals/a-3/answers", body())
        assert unknown.status == 404

    assert reasons(talk(inbox, say)) == ["already_resolved", "expired", "unknown"]


def test_an_answer_to_something_else_is_stale() -> None:
    inbox = FakeInbox(question())
    other = replace(ASKING, key=replace(KEY, host="evil.test"))

    async def say(client: Client) -> None:
        for seen in (
            {"version": 2, "digest": question().digest, "join_no": 1},
            {"version": 1, "digest": question("a-1", other).digest, "join_no": 1},
        ):
            reply = await client.ask("POST", "/v1/approvals/a-1/answers", body(seen=seen))
            assert reply.status == 409
            assert reply.document["type"] == "urn:netproxy:problem:stale"

    assert reasons(talk(inbox, say)) == ["stale", "stale"]
    assert inbox.decided == []


def test_a_store_that_is_down_is_a_503() -> None:
    inbox = FakeInbox(question())
    inbox.broken = StoreUnavailable("/home/anna/approvals.db: disk full")

    async def say(client: Client) -> None:
        for method, path in (
            ("POST", "/v1/approvals/a-1/answers"),
            ("GET", "/v1/approvals/a-1"),
            ("GET", "/v1/decisions"),
        ):
            reply: Reply = await client.ask(method, path, body() if method == "POST" else None)
            assert (reply.status, reply.fields["retry-after"]) == (503, "2")
            assert "anna" not in reply.body.decode()

    talk(inbox, say)


def test_always_needs_its_own_permission() -> None:
    inbox = FakeInbox(question())

    async def say(client: Client) -> None:
        reply = await client.ask("POST", "/v1/approvals/a-1/answers", body(scope="always"))
        assert (reply.status, reply.document["permission"]) == (403, "rules")
        group = {"answers": [body(scope="always", approval_id="a-1")]}
        assert (await client.ask("POST", "/v1/answers", group)).status == 403

    site = talk(inbox, say, authenticate=may(*EVERY_PERMISSION - {Permission.RULES}))
    assert inbox.decided == []
    assert reasons(site) == ["forbidden", "forbidden"]


def test_a_group_is_answered_one_by_one() -> None:
    inbox = FakeInbox(question("a-1"), question("a-2"), question("a-3"))
    inbox.resolve("a-2", Status.DENIED, answer(Verdict.DENY, reviewer="bob"))

    def one(approval_id: str, **changes: object) -> dict[str, object]:
        seen = {"version": 1, "digest": question(approval_id).digest, "join_no": 1}
        return body(approval_id=approval_id, seen=seen, **changes)

    async def say(client: Client) -> None:
        answers = [one("a-1"), one("a-2"), one("a-3", seconds=3)]
        reply = await client.ask("POST", "/v1/answers", {"answers": answers})
        first, second, third = reply.document["results"]
        assert first["resolution"]["status"] == "granted"
        assert (second["problem"]["status"], third["problem"]["status"]) == (409, 422)
        twice = await client.ask("POST", "/v1/answers", {"answers": [one("a-3"), one("a-3")]})
        assert twice.status == 422
        none = await client.ask("POST", "/v1/answers", {"answers": []})
        assert none.status == 422

    assert reasons(talk(inbox, say)) == ["already_resolved"]
    assert [approval_id for approval_id, _ in inbox.decided] == ["a-1"]


def test_one_approval_with_its_story() -> None:
    inbox = FakeInbox(question("a-1"), question("a-2"))
    inbox.resolve("a-1", Status.GRANTED, answer())

    async def say(client: Client) -> None:
        story = (await client.ask("GET", "/v1/approvals/a-2")).document
        assert story["approval"]["status"] == "pending"
        assert story["pending"]["version"] == 1
        assert [each["approval_id"] for each in story["earlier"]] == ["a-1"]
        over = (await client.ask("GET", "/v1/approvals/a-1")).document
        assert (over["approval"]["status"], over["pending"]) == ("granted", None)
        for path in ("/v1/approvals/a-9", "/v1/approvals/%00", "/v1/approvals/..%2f"):
            assert (await client.ask("GET", path)).status == 404

    talk(inbox, say)


def test_decisions_come_in_pages() -> None:
    inbox = FakeInbox(*(question(f"a-{number}") for number in range(5)))
    for number in range(5):
        inbox.resolve(f"a-{number}", Status.WITHDRAWN)

    async def say(client: Client) -> None:
        seen: list[str] = []
        path = "/v1/decisions?limit=2"
        while True:
            page = (await client.ask("GET", path)).document
            seen += [each["approval_id"] for each in page["decisions"]]
            if page["next"] is None:
                break
            path = f"/v1/decisions?limit=2&before={page['next']!r}"
        assert seen == ["a-4", "a-3", "a-2", "a-1", "a-0"]
        for query in ("limit=0", "limit=201", "before=x", "limit=1&limit=2", "offset=3"):
            assert (await client.ask("GET", f"/v1/decisions?{query}")).status == 422

    talk(inbox, say)


def test_only_who_may_answer_counts_as_there() -> None:
    async def say(client: Client) -> None:
        await client.ask("GET", "/v1/approvals")

    assert not talk(FakeInbox(), say, authenticate=may(Permission.READ)).presence._polled
    assert talk(FakeInbox(), say).presence._polled
