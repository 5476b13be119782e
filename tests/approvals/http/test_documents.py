"""Nothing that came from a command or a reviewer reaches a terminal or a page as it was."""

from __future__ import annotations

from dataclasses import replace

from approvals.http.documents import (
    answer_document,
    change_document,
    decision_document,
    grant_document,
    pending_document,
    resolution_document,
    story_document,
)
from approvals.model import (
    Budget,
    Change,
    ChangeKind,
    Pending,
    Record,
    Resolution,
    Status,
    Story,
)
from tests.support.approvals import ASKING, KEY, answer, grant
from tests.support.inbox import question

HOSTILE = "\x1b[2J\u202eevil\x00"
ASKED = question(
    "a-1",
    replace(
        ASKING,
        key=replace(KEY, host=HOSTILE),
        command=HOSTILE,
        directory=HOSTILE,
        explanation=HOSTILE,
        group=HOSTILE,
        hint=HOSTILE,
        unicode_host=HOSTILE,
        session_name=HOSTILE,
    ),
)
SAID = replace(answer(reviewer=HOSTILE), channel=HOSTILE, comment=HOSTILE)


def test_hostile_texts_are_visible_everywhere() -> None:
    record = Record(question=ASKED, status=Status.GRANTED, version=2, answer=SAID)
    held = replace(
        grant(replace(KEY, host=HOSTILE), SAID),
        budget=Budget(connections=1, bytes=None),
        expires_at=9.0,
    )
    pending = Pending(question=ASKED, version=1, waiting=1, joined=1, seconds_left=-1.0)
    story = Story(record=record, grant=held, earlier=(record,), first_seen=False)
    resolution = Resolution(
        approval_id="a-1", status=Status.GRANTED, answer=SAID, explanation=HOSTILE
    )
    for document in (
        pending_document(pending),
        decision_document(record),
        answer_document(SAID),
        grant_document(held),
        story_document(story, pending),
        resolution_document(resolution),
    ):
        told = "".join(texts(document.model_dump()))
        assert "evil" in told
        assert not set(told) & {"\x1b", "\u202e", "\x00"}


def texts(value: object) -> list[str]:
    """Every text in a document."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_times_and_amounts() -> None:
    held = replace(grant(), created_at=1_767_322_800.0, used_bytes=7)
    document = grant_document(held)
    assert (document.created_at, document.expires_at) == ("2026-01-02T03:00:00.000Z", None)
    assert (document.used_bytes, document.budget, document.comment) == (7, None, None)
    change = Change(number=3, kind=ChangeKind.ASKED, ref="a-1", at=1_767_322_800.5)
    assert change_document(change).at == "2026-01-02T03:00:00.500Z"
