"""What reviewers are shown: safe to print, the same each time, and named by its digest."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from approvals.model import Scope
from approvals.shown import shown
from tests.support.approvals import ASKING, KEY
from tests.support.inbox import question

TEXTS = st.text(st.characters(codec=None), max_size=40)


def test_it_is_the_whole_question() -> None:
    asked = replace(question(), widest_scope=Scope.ALWAYS, grant_seconds=90.0)
    assert shown(asked) == {
        "approval_id": "a-1",
        "session": "s-1",
        "session_name": None,
        "run": "r-1",
        "host": "pypi.org",
        "host_unicode": None,
        "group": "pypi.org",
        "protocol": "https",
        "port": 443,
        "destination": "https://pypi.org:443",
        "command": "pip install requests",
        "directory": "/home/anna/project",
        "explanation": "no rule matches pypi.org:443",
        "hint": "--allow https://pypi.org:443",
        "stops_on_denial": True,
        "allow_scopes": ["once", "run", "time", "session"],  # a rule would outlive the 90 s
        "deny_scopes": ["once", "session", "always"],
        "longest_seconds": 90,
        "created_at": "2026-01-02T03:00:00.000Z",
        "expires_at": "2026-01-02T03:15:00.000Z",
    }


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_of_it_can_hide_or_break_anything(host: str, command: str, name: str) -> None:
    key = replace(KEY, host=host)
    asked = question(asking=replace(ASKING, key=key, command=command, session_name=name))
    text = json.dumps(shown(asked), ensure_ascii=False)
    assert text.isprintable()
    text.encode()


@given(TEXTS, TEXTS)
def test_the_digest_names_what_is_shown(one: str, other: str) -> None:
    first, second = (question(asking=replace(ASKING, command=each)) for each in (one, other))
    assert (first.digest == second.digest) is (shown(first) == shown(second))
    assert len(first.digest) == 64


def test_every_part_of_it_is_in_the_digest() -> None:
    asked = question()
    changed = [
        question("a-2"),
        question(asking=replace(ASKING, key=replace(KEY, port=80))),
        question(asking=replace(ASKING, stops_on_denial=False)),
        replace(asked, widest_scope=Scope.ONCE),
        replace(asked, expires_at=asked.expires_at + 1),
    ]
    assert len({each.digest for each in (asked, *changed)}) == 1 + len(changed)
