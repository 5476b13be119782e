"""An answer for always lives as long as its rule, once that was in force."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from approvals import Grant, Scope, Verdict
from approvals.errors import UnknownGrant
from netproxy.app.kept_answers import KeptAnswers
from netproxy.model import Reason
from netproxy.model import Verdict as Decided
from tests.support.approvals import grant
from tests.support.fakes import FakePolicy, judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

ALWAYS = replace(grant(), scope=Scope.ALWAYS)
RULED = judgement(Decided.ALLOW, Reason.ALLOWED_BY_RULE)
ASKS = judgement(Decided.ASK)


class Remembered:
    def __init__(self, *held: Grant) -> None:
        self.held = list(held)
        self.revoked: list[str] = []

    def grants(self) -> tuple[Grant, ...]:
        return tuple(self.held)

    async def revoke(
        self, grant_id: str, *, reviewer: str, channel: str, comment: str | None = None
    ) -> Grant:
        assert (reviewer, channel) == ("the settings file", "policy")
        for each in self.held:
            if each.grant_id == grant_id:
                self.held.remove(each)
                self.revoked.append(grant_id)
                return each
        raise UnknownGrant(grant_id)


OWN = Path("/home/me/own.toml")


def told(
    before: Sequence[Grant], later: Sequence[Grant], *policies: object, session: str = "s-1"
) -> list[str]:
    """What was revoked, when the policy was one after the other."""

    async def main() -> list[str]:
        service, policy = Remembered(*before), FakePolicy(Decided.ASK)
        kept = KeptAnswers(service, session, policy, file=OWN)
        policy.default = policies[0]  # type: ignore[assignment]  # a judgement
        async with kept:
            await asyncio.sleep(0)
            service.held += later
            for each in policies:
                policy.default = each  # type: ignore[assignment]  # a judgement
                kept.look()
                await asyncio.sleep(0.001)
        return service.revoked

    return asyncio.run(main())


def test_it_holds_until_its_rule_is_in_force_and_then_with_it() -> None:
    assert told((), [ALWAYS], ASKS, ASKS) == []
    assert told((), [ALWAYS], ASKS, RULED) == []
    assert told((), [ALWAYS], ASKS, RULED, ASKS) == ["g-1"]


def test_what_is_left_of_an_earlier_start_needs_its_rule() -> None:
    assert told([ALWAYS], (), RULED, RULED) == []
    assert told([ALWAYS], (), ASKS) == ["g-1"]


def test_a_no_that_was_never_written_is_not_forgotten() -> None:
    denied = replace(ALWAYS, verdict=Verdict.DENY)
    assert told([denied], (), ASKS, ASKS) == []
    ruled = judgement(Decided.DENY, Reason.DENIED_BY_RULE)
    assert told([denied], (), ruled, ASKS) == ["g-1"]


@pytest.mark.parametrize(
    "other",
    [
        replace(ALWAYS, scope=Scope.SESSION),
        replace(ALWAYS, key=replace(ALWAYS.key, session="s-2")),
    ],
    ids=["for the session", "of another session"],
)
def test_other_answers_are_none_of_its_business(other: Grant) -> None:
    assert told([other], (), RULED, ASKS) == []


RULE = """
[[profiles.d.network.rules]]
host = "{}"
ports = [{}]
protocols = ["{}"]
verdict = "allow"
"""


def test_what_another_run_has_in_its_own_file_is_that_runs(tmp_path: Path) -> None:
    """Two runs of one session, each with a `--config`: neither takes back what the other has."""
    file, key = tmp_path / "other.toml", ALWAYS.key
    file.write_text(RULE.format(key.host, key.port, key.protocol))
    theirs = replace(ALWAYS, rule_file=str(file))
    assert told([theirs], (), ASKS) == []
    assert told((), [theirs], RULED, ASKS) == []
    ours = replace(ALWAYS, rule_file=str(OWN))
    assert told([ours], (), ASKS) == ["g-1"]
    assert told((), [ours], RULED, ASKS) == ["g-1"]


@pytest.mark.parametrize(
    ("content", "revoked"),
    [
        (None, ["g-1"]),
        (b"", ["g-1"]),
        (b"half a [table", []),
        (b"\xff", []),
        (b"a = " + b"[" * 5000, []),
    ],
    ids=["no file", "without the rule", "no TOML", "no text", "too deep"],
)
def test_what_was_deleted_elsewhere_while_nobody_was_there_is_taken_back(
    tmp_path: Path, content: bytes | None, revoked: list[str]
) -> None:
    """What can't be read tells nothing: the next run that goes by that file judges it."""
    file = tmp_path / "other.toml"
    if content is not None:
        file.write_bytes(content)
    assert told([replace(ALWAYS, rule_file=str(file))], (), ASKS) == revoked
