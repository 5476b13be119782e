"""What stands together is shown together, and a form says what it showed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.model import Pending, Record, Status, Story, Verdict
from approvals.web.views import (
    Item,
    Wanted,
    blocks,
    outcome,
    place,
    read_item,
    row,
    timeline,
)
from tests.support.approvals import answer, asking, grant
from tests.support.inbox import question


def pending(
    number: int, host: str, group: str, *, waiting: int = 1, port: int = 443, command: str = "pip"
) -> Pending:
    asked = replace(asking(host, port=port), group=group, command=command)
    return Pending(
        question=question(f"a-{number}", asked),
        version=1,
        waiting=waiting,
        joined=2,
        seconds_left=9,
    )


def test_hosts_of_one_owner_stand_together_in_the_order_of_asking() -> None:
    asked = [
        pending(1, "a.hosted.org", "hosted.org"),
        pending(2, "pypi.org", "pypi.org"),
        pending(3, "b.hosted.org", "hosted.org", command="curl"),
    ]
    made = list(blocks(asked, now=0.0, policy_file="F"))
    assert [[each.id for each in block.rows] for block in made] == [["a-1", "a-3"], ["a-2"]]
    group, single = made
    assert (group.is_group, group.title) == (True, "2 hosts of hosted.org")
    assert (group.command, single.command) == (None, "pip")
    assert not single.is_group
    assert group.id != single.id


def test_two_ports_of_one_host_are_no_two_hosts() -> None:
    ways = [pending(1, "pypi.org", "pypi.org"), pending(2, "pypi.org", "pypi.org", port=80)]
    assert next(blocks(ways, now=0.0, policy_file="F")).title == "2 ways to pypi.org"


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (0, "nobody waits any more; a retry could still be let through"),
        (1, "1 request waits"),
        (4, "4 requests wait"),
    ],
)
def test_a_row_says_who_waits(waiting: int, text: str) -> None:
    made = row(pending(1, "pypi.org", "pypi.org", waiting=waiting), now=0.0, policy_file="F")
    assert made.waiting == text
    assert (made.session, made.place.key.host) == ("s-1", "pypi.org")


def test_an_item_comes_back_as_it_was_shown() -> None:
    standing = pending(1, "pypi.org", "pypi.org")
    item = Item.of(standing)
    assert (item.version, item.joined, item.digest) == (1, 2, standing.question.digest)
    assert read_item(row(standing, 0.0, "F").item) == item


@pytest.mark.parametrize(
    "text", ["", "a-1", "a-1:1:2", "a-1:x:2:d", "a-1:1:-2:d", "a-1:1:2:d:e", "a-1:1:²:d",
             "a-1:1:1234567890:d"]
)  # fmt: skip
def test_no_other_item_is_read(text: str) -> None:
    assert read_item(text) is None


@given(st.text())
def test_whatever_is_posted_is_an_item_or_none(text: str) -> None:
    item = read_item(text)
    assert item is None or (item.version >= 0 and item.joined >= 0)


@pytest.mark.parametrize(
    ("host", "unicode_host", "shown_as", "scripts"),
    [
        ("pypi.org", None, None, ""),
        ("xn--mnchen-3ya.de", "münchen.de", "münchen.de", ""),
        ("xn--pypl-53dc.org", "p\u0430yp\u0430l.org", "p\u0430yp\u0430l.org", "Cyrillic and Latin"),
        ("pypi.org", "pypi.org", None, ""),
    ],
)
def test_a_name_is_shown_both_ways(
    host: str, unicode_host: str | None, shown_as: str | None, scripts: str
) -> None:
    made = place(question("a-1", replace(asking(host), unicode_host=unicode_host)))
    assert (made.shown_as, made.scripts, made.protocol) == (shown_as, scripts, "HTTPS tunnel")


def story(record: Record, *, left: bool = False) -> Story:
    return Story(record=record, grant=grant() if left else None, earlier=(), first_seen=False)


def test_a_story_is_told_in_order() -> None:
    asked = question()
    open_one = Record(question=asked, status=Status.PENDING, version=1, answer=None)
    assert [step.text for step in timeline(story(open_one))] == ["asked by r-1"]
    said = replace(answer(), comment="fine")
    over = replace(open_one, status=Status.GRANTED, answer=said, ended_at=asked.created_at + 5)
    told = timeline(story(over, left=True))
    assert [step.text for step in told] == ["asked by r-1", "allowed once by anna (fake)"]
    assert told[1].comment == "fine"
    taken = timeline(story(replace(over, status=Status.REVOKED), left=True))
    assert taken[-1].text == "taken back"
    nobody = replace(over, status=Status.EXPIRED, answer=None)
    assert timeline(story(nobody))[-1].comment is None


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(None, "unanswered"), (Verdict.ALLOW, "allowed"), (Verdict.DENY, "denied")],
)
def test_decisions_are_found(verdict: Verdict | None, expected: str) -> None:
    said = None if verdict is None else answer(verdict)
    asked = question("a-1", replace(asking("xn--mnchen-3ya.de"), unicode_host="münchen.de"))
    record = Record(question=asked, status=Status.EXPIRED, version=2, answer=said)
    assert outcome(record) == expected
    assert Wanted(host="MÜNCHEN", outcome=expected).fits(record)
    assert Wanted(host="mnchen").fits(record)
    assert not Wanted(host="pypi").fits(record)
    others = {"unanswered", "allowed", "denied"} - {expected}
    assert not any(Wanted(outcome=other).fits(record) for other in others)
