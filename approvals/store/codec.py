"""Questions, answers and grants as JSON text, and back. Pure.

ASCII only: what a command is called may hold anything, and a database has an opinion on NUL and on
halves of surrogate pairs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from approvals.model import Answer, Asking, Budget, Grant, Key, Question, Scope, Verdict
from approvals.shown import shown
from otel.values import asdict

if TYPE_CHECKING:
    from collections.abc import Mapping


def question_text(question: Question) -> str:
    """All of it."""
    return _text(asdict(question))


def shown_text(question: Question) -> str:
    """What reviewers are shown of it."""
    return _text(shown(question))


def question_from(text: str) -> Question:
    """What `question_text` was given."""
    plain = json.loads(text)
    asking = plain.pop("asking")
    key = Key(**asking.pop("key"))
    scope = Scope(plain.pop("widest_scope"))
    return Question(asking=Asking(key=key, **asking), widest_scope=scope, **plain)


def answer_text(answer: Answer | None) -> str | None:
    """All of it; None for none."""
    return None if answer is None else _text(asdict(answer))


def answer_from(text: str | None) -> Answer | None:
    """What `answer_text` was given."""
    if text is None:
        return None
    plain = json.loads(text)
    return Answer(**_said(plain), **plain)


def grant_text(grant: Grant) -> str:
    """All of it."""
    return _text(asdict(grant))


def grant_from(text: str) -> Grant:
    """What `grant_text` was given."""
    plain = json.loads(text)
    return Grant(key=Key(**plain.pop("key")), **_said(plain), **plain)


def _said(plain: dict[str, Any]) -> dict[str, Any]:
    """What answers and grants have in common; taken out of `plain`."""
    budget = plain.pop("budget")
    return {
        "verdict": Verdict(plain.pop("verdict")),
        "scope": Scope(plain.pop("scope")),
        "budget": None if budget is None else Budget(**budget),
    }


def _text(plain: Mapping[str, object]) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))
