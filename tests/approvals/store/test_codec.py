from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.model import Answer, Asking, Budget, Grant, Key, Question, Scope, Verdict
from approvals.shown import shown
from approvals.store import codec
from tests.support.store_contract import QUESTION

# A class of `otel.values` shows what its making takes once that is compiled: after some values,
# or one that is wrong. Whether other tests made some before is nothing to depend on.
for _class in (Key, Asking, Question, Answer, Grant):
    with suppress(TypeError):
        _class()  # type: ignore[call-arg]  # that is what is wrong

numbers = st.none() | st.integers(0, 2**62)
budgets = st.none() | st.builds(Budget, connections=numbers, bytes=numbers)
any_text = st.text(st.characters())  # halves of surrogate pairs among them
seconds = st.floats(0, 1e12)
keys = st.builds(Key)
askings = st.builds(
    Asking, key=keys, command=any_text, directory=any_text, hold_seconds=st.none() | seconds
)
questions = st.builds(
    Question,
    asking=askings,
    created_at=seconds,
    expires_at=seconds,
    widest_scope=st.sampled_from(Scope),
    grant_seconds=st.none() | seconds,
)
answers = st.builds(
    Answer,
    verdict=st.sampled_from(Verdict),
    comment=st.none() | any_text,
    reviewer=any_text,
    seconds=st.none() | seconds,
    budget=budgets,
)
grants = st.builds(
    Grant,
    key=keys,
    created_at=seconds,
    expires_at=st.none() | seconds,
    budget=budgets,
    comment=st.none() | any_text,
    used_bytes=st.integers(0, 2**62),
)


@settings(max_examples=40)
@given(questions)
def test_a_question_comes_back_from_plain_ascii(question: Question) -> None:
    text = codec.question_text(question)
    assert text.isascii()
    assert "\0" not in text
    assert codec.question_from(text) == question


@given(st.none() | answers)
def test_an_answer_comes_back(answer: Answer | None) -> None:
    text = codec.answer_text(answer)
    assert text is None or text.isascii()
    assert codec.answer_from(text) == answer


@given(grants)
def test_a_grant_comes_back(grant: Grant) -> None:
    text = codec.grant_text(grant)
    assert text.isascii()
    assert codec.grant_from(text) == grant


@pytest.mark.parametrize("verdict", ["maybe", "ALLOW", ""])
def test_an_unknown_verdict_is_no_verdict(verdict: str) -> None:
    said = {"verdict": verdict, "scope": "once", "budget": None}
    with pytest.raises(ValueError, match="not a valid Verdict"):
        codec.answer_from(json.dumps(said))


def test_what_was_shown_is_kept_as_json() -> None:
    assert json.loads(codec.shown_text(QUESTION)) == shown(QUESTION)
