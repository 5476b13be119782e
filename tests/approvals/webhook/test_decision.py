"""A decision is about what its endpoint was sent, and in the name of whom it may speak for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from approvals.errors import ForeignDecision, NotAllowedToSay, StaleAnswer
from approvals.store.webhooks import Asked
from approvals.webhook.decision import Decision, check_binding, decided
from tests.support.inbox import question
from tests.support.webhook_world import endpoint

ASKED = Asked(nonce="n" * 32, version=1, digest="d" * 64, joined=2)
DECISION = Decision(
    approval_id="a-1",
    version=1,
    request_digest="d" * 64,
    nonce="n" * 32,
    verdict="allow",
)
SETTINGS = endpoint("https://hooks.example.org/")


def test_it_is_bound_to_version_digest_and_nonce() -> None:
    check_binding(DECISION, ASKED)
    for changed in ({"version": 2}, {"request_digest": "x"}):
        with pytest.raises(StaleAnswer):
            check_binding(DECISION.model_copy(update=changed), ASKED)
    with pytest.raises(ForeignDecision):
        check_binding(DECISION.model_copy(update={"nonce": "x"}), ASKED)


@pytest.mark.parametrize(
    ("named", "patterns", "recorded"),
    [
        (None, (), "ops"),
        ("anna", ("anna", "bert"), "anna by ops"),
        ("anna@example.org", ("*@example.org",), "anna@example.org by ops"),
        ("Anna", ("anna",), None),
        ("anna", (), None),
        ("anna@example.org.evil", ("*@example.org",), None),
    ],
)
def test_an_endpoint_speaks_for_those_that_it_may(
    named: str | None, patterns: tuple[str, ...], recorded: str | None
) -> None:
    said = DECISION.model_copy(update={"reviewer": named})
    settings = replace(SETTINGS, may_assert=patterns)
    if recorded is None:
        with pytest.raises(NotAllowedToSay):
            decided(said, question(), ASKED, settings)
    else:
        answer = decided(said, question(), ASKED, settings)
        assert (answer.reviewer, answer.seen_join_no) == (recorded, 2)
