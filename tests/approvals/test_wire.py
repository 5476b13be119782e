"""What a machine's verdict comes to, and what it may not say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from approvals.errors import NoOpinion, TooWide
from approvals.model import Answer, Question, Scope, Verdict
from approvals.wire import Said, answer_of, invalid_of, problems_of
from tests.support.approvals import ASKING
from tests.support.inbox import question


def answer(
    said: dict[str, object],
    *,
    widest: Scope = Scope.SESSION,
    joined: int = 2,
    asked: Question | None = None,
) -> Answer:
    return answer_of(
        Said.model_validate(said),
        question() if asked is None else asked,
        seen_join_no=joined,
        widest=widest,
        reviewer="bot",
        channel="command",
    )


def test_a_yes_is_for_all_that_wait_now_and_once_unless_it_says_more() -> None:
    found = answer({"verdict": "allow"})
    assert (found.verdict, found.scope, found.seen_join_no) == (Verdict.ALLOW, Scope.ONCE, 2)
    assert (found.reviewer, found.channel, found.cancel) == ("bot", "command", False)
    timed = answer({"verdict": "allow", "scope": "time", "seconds": 60})
    assert (timed.scope, timed.seconds) == (Scope.TIME, 60)


def test_a_no_ends_the_command_as_it_would_or_as_it_says() -> None:
    assert answer({"verdict": "deny"}).cancel
    assert not answer({"verdict": "deny", "cancel": False}).cancel
    gentle = question(asking=replace(ASKING, stops_on_denial=False))
    assert not answer({"verdict": "deny"}, asked=gentle).cancel


def test_a_comment_is_made_visible() -> None:
    assert answer({"verdict": "deny", "comment": "no\x1b[2J"}).comment == "no\\u001b[2J"


def test_to_abstain_is_no_opinion() -> None:
    with pytest.raises(NoOpinion):
        answer({"verdict": "abstain"})


@pytest.mark.parametrize(
    ("said", "widest", "fits"),
    [
        ({"verdict": "allow", "scope": "run"}, Scope.RUN, True),
        ({"verdict": "allow", "scope": "session"}, Scope.RUN, False),
        ({"verdict": "allow", "scope": "time", "seconds": 9}, Scope.RUN, False),
        ({"verdict": "allow", "scope": "always"}, Scope.SESSION, False),
        ({"verdict": "deny", "scope": "session"}, Scope.ONCE, True),
        ({"verdict": "deny", "scope": "always"}, Scope.ONCE, False),
        ({"verdict": "deny", "scope": "always"}, Scope.ALWAYS, True),
    ],
)
def test_nobody_reaches_further_than_they_may(
    said: dict[str, object], widest: Scope, *, fits: bool
) -> None:
    if fits:
        assert answer(said, widest=widest).scope == said["scope"]
    else:
        with pytest.raises(TooWide):
            answer(said, widest=widest)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "verdict"),
        ({"verdict": "yes"}, "verdict"),
        ({"verdict": True}, "verdict"),
        ({"verdict": "allow", "scope": "forever"}, "scope"),
        ({"verdict": "allow", "reviewer": "root"}, "reviewer"),
        ({"verdict": "allow", "scope": "time", "seconds": "60"}, "seconds"),
        ({"verdict": "allow", "scope": "time", "seconds": -1}, "seconds"),
        ({"verdict": "allow", "scope": "time", "seconds": True}, "seconds"),
        ({"verdict": "allow", "scope": "time"}, ""),
        ({"verdict": "allow", "seconds": 60}, ""),
        ({"verdict": "allow", "cancel": True}, ""),
        ({"verdict": "deny", "cancel": 1}, "cancel"),
        ({"verdict": "deny", "comment": "x" * 2001}, "comment"),
    ],
)
def test_what_is_not_a_verdict_says_where(said: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Said.model_validate(said)
    assert problems_of(caught.value)[0]["field"] == field
    assert field in str(invalid_of(caught.value))
    assert "yes" not in str(problems_of(caught.value)), "it is not repeated"
