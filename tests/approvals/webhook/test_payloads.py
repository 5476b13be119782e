"""What endpoints are told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from approvals.model import Answer, Record, Scope, Status, Verdict
from approvals.store.webhooks import Asked, EndedGrant
from approvals.webhook.payloads import grant_ended, ping, requested, resolved
from tests.support.approvals import ASKING, KEY
from tests.support.inbox import question

QUESTION = question()
ASKED = Asked(nonce="n", version=1, digest=QUESTION.digest, joined=2)
ANSWER = Answer(
    verdict=Verdict.DENY,
    scope=Scope.SESSION,
    cancel=True,
    reviewer="anna\x1b",
    channel="web",
    seen_join_no=1,
    comment="no\x07",
)
RECORD = Record(
    question=QUESTION, status=Status.DENIED, version=2, answer=ANSWER, ended_at=1_700_000_000.0
)


def asked(widest: Scope = Scope.RUN, reply: str | None = "https://r/x") -> dict[str, Any]:
    text = requested(QUESTION, ASKED, widest=widest, reply_url=reply, review_url="https://r/a")
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_question_with_all_that_its_answer_has_to_name() -> None:
    told = asked()
    data = told["data"]
    assert told["type"] == "approval.requested"
    assert data["request"]["host"] == "pypi.org"
    assert (data["approval_id"], data["version"], data["waiting"]) == ("a-1", 1, 2)
    assert data["reply"] == {"url": "https://r/x", "nonce": "n"}
    canonical = json.dumps(
        data["request"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert data["request_digest"] == hashlib.sha256(canonical.encode()).hexdigest()


def test_it_is_offered_what_it_may_say_and_no_more() -> None:
    options = {(each["verdict"], each["scope"]) for each in asked()["data"]["options"]}
    denials = {("deny", "once"), ("deny", "session")}
    assert options == {("allow", "once"), ("allow", "run"), *denials}
    widest = {(o["verdict"], o["scope"]) for o in asked(Scope.ALWAYS)["data"]["options"]}
    assert ("allow", "session") in widest
    assert ("deny", "always") in widest


def test_who_may_not_answer_gets_nothing_to_answer_with() -> None:
    data = asked(reply=None)["data"]
    assert (data["reply"], data["options"]) == (None, [])
    assert "nonce" not in json.dumps(data)


def test_hostile_text_is_visible() -> None:
    hostile = replace(ASKING, command="rm\x1b[2J\u202e", key=replace(KEY, host="a\nb"))
    text = requested(
        question(asking=hostile), ASKED, widest=Scope.ONCE, reply_url=None, review_url=None
    )
    assert "\\\\u001b" in text
    assert "\\\\u202e" in text
    assert "\x1b" not in text


def test_an_end_says_who_and_how() -> None:
    told = json.loads(resolved(RECORD, at=0.0))
    assert (told["type"], told["timestamp"]) == ("approval.resolved", "2023-11-14T22:13:20.000Z")
    assert told["data"]["status"] == "denied"
    assert told["data"]["answer"]["reviewer"] == "anna\\u001b"
    assert told["data"]["answer"]["comment"] == "no\\u0007"
    nobody = replace(RECORD, answer=None, ended_at=None, status=Status.EXPIRED)
    assert json.loads(resolved(nobody, at=1_700_000_000.0))["data"]["answer"] is None


def test_the_end_of_a_grant() -> None:
    ended = EndedGrant(
        approval_id="a-1",
        grant_id="g-1",
        reason="revoked",
        ended_at=1_700_000_000.0,
        connections=3,
        bytes=4096,
    )
    told = json.loads(grant_ended(RECORD, ended))
    assert told["type"] == "grant.ended"
    assert (told["data"]["grant_id"], told["data"]["reason"]) == ("g-1", "revoked")
    assert told["data"]["destination"] == "https://pypi.org:443"


def test_a_ping_says_nothing() -> None:
    assert json.loads(ping(1_700_000_000.0))["data"] == {"schema": 1}
