"""Recorded decisions are counted once a kind, and judged again as if they came today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Protocol, Source, Verdict
from netproxy.policy.history import (
    DIFFERENCES,
    Decided,
    Decider,
    History,
    Outcome,
    Tally,
    redial,
    replay,
)
from tests.support.policies import Memory, allow, deny, policy, to
from tests.support.rule_texts import destinations, rule_lists

if TYPE_CHECKING:
    from netproxy.model import Destination
    from netproxy.policy.engine import Policy
    from netproxy.policy.rules import Rule

T1, T2, T3 = (f"2026-01-0{day}T00:00:00.000Z" for day in (1, 2, 3))


def decided(host: str = "a.example", **changed: object) -> Decided:
    usual: dict[str, object] = {
        "port": 443,
        "protocol": "https",
        "method": "CONNECT",
        "decision": "allow",
        "source": "baseline_policy",
        "reason": "allowed_by_rule",
        "timestamp": T1,
    }
    return Decided(host=host, **{**usual, **changed})  # type: ignore[arg-type]  # its keywords


def history(*records: Decided) -> History:
    made = History()
    for record in records:
        made.decided(record)
    return made


def outcomes(made: History, by: Policy) -> list[Outcome]:
    return [each.outcome for each in replay(made, by)]


def test_alike_records_are_one_tally() -> None:
    made = history(decided(timestamp=T2), decided(timestamp=T1), decided(timestamp=T3))
    assert list(made.decisions.values()) == [Tally(3, T1, T3)]
    assert made.destinations() == {to("a.example:443")}


def test_tallies_add_up() -> None:
    total = Tally()
    for other in (Tally(2, T2, T2), Tally(3, T1, T3)):
        total.merge(other)
    assert total == Tally(5, T1, T3)


@pytest.mark.parametrize(
    "changed",
    [
        {"port": 0},
        {"port": 65536},
        {"protocol": "gopher"},
        {"decision": "perhaps"},
        {"method": "X" * 65},
        {"host": "a..b"},
        {"host": "2130706433"},
        {"host": "a\\u0000.example"},
    ],
    ids=str,
)
def test_a_malformed_record_is_counted_and_passed_over(changed: dict[str, object]) -> None:
    made = history(decided(**changed), decided("b.example"))  # type: ignore[arg-type]  # its keywords
    assert (made.malformed, len(made.decisions)) == (1, 1)


@pytest.mark.parametrize("source", ["proxy_state", "", "somebody"])
def test_what_no_policy_decided_is_counted_apart(source: str) -> None:
    assert history(decided(source=source, port=0)).undecided == 1


@pytest.mark.parametrize(
    ("decision", "source", "today", "outcome"),
    [
        ("allow", "baseline_policy", Verdict.ALLOW, Outcome.UNCHANGED),
        ("allow", "baseline_policy", Verdict.ASK, Outcome.NOW_ASKED),
        ("allow", "baseline_policy", Verdict.DENY, Outcome.NEW_DENIAL),
        ("deny", "baseline_policy", Verdict.ALLOW, Outcome.NEW_ALLOW),
        ("deny", "mode_guard", Verdict.ASK, Outcome.NOW_ASKED),
        ("deny", "mode_guard", Verdict.DENY, Outcome.UNCHANGED),
        ("allow", "reviewer", Verdict.ALLOW, Outcome.UNCHANGED),
        ("allow", "reviewer", Verdict.ASK, Outcome.ANSWERED),
        ("allow", "session_cache", Verdict.DENY, Outcome.NEW_DENIAL),
        ("deny", "reviewer", Verdict.ALLOW, Outcome.NEW_ALLOW),
        ("deny", "session_cache", Verdict.ASK, Outcome.ANSWERED),
        ("deny", "reviewer", Verdict.DENY, Outcome.UNCHANGED),
        ("deny", "decider", Verdict.ASK, Outcome.ANSWERED),
        ("deny", "decider", Verdict.DENY, Outcome.UNCHANGED),
    ],
)
def test_what_becomes_of_a_decision(
    decision: str, source: str, today: Verdict, outcome: Outcome
) -> None:
    made = history(decided(decision=decision, source=source))
    assert outcomes(made, policy(default=today)) == [outcome]


@given(rules=rule_lists, asked=st.lists(destinations, max_size=5), default=st.sampled_from(Verdict))
def test_a_policy_replayed_on_itself_changes_nothing(
    rules: list[Rule], asked: list[Destination], default: Verdict
) -> None:
    same = policy(*rules, default=default)
    made = History()
    for where in asked:
        judged = same.judge(where, "GET", Memory())
        source = Source.REVIEWER if judged.verdict is Verdict.ASK else judged.source
        said = "deny" if judged.verdict is Verdict.DENY else "allow"
        made.decided(
            decided(
                where.host,
                port=where.port,
                protocol=where.protocol.value,
                method="GET",
                decision=said,
                source=source.value,
            )
        )
    assert not DIFFERENCES & set(outcomes(made, same))


def test_it_says_who_decided_then_and_what_is_said_today() -> None:
    (found,) = replay(history(decided(source="reviewer", reason="approved")), policy(deny("*")))
    assert (found.key.decider, found.key.reason) == (Decider.PEOPLE, "approved")
    assert found.judgement.rule == "* (--deny #1)"


def test_addresses_are_vetted_again() -> None:
    made = history(decided(), decided("b.example"), decided("c.example", protocol="socks5-tcp"))
    made.dialled(("a.example", 443, "93.184.216.34", True), T1)
    made.dialled(("a.example", 443, "10.0.0.1", False), T1)
    made.dialled(("a.example", 443, "10.0.0.2", True), T2)
    made.dialled(("c.example", 443, "10.1.0.1", False), T3)
    made.dialled(("b.example", 443, "10.0.0.1", True), T1)
    today = policy(allow("a.example"), allow("c.example"), allow_private=["10.1.0.0/16"])
    found = {(each.destination.host, each.address): each for each in redial(made, today)}
    assert {key: each.outcome for key, each in found.items()} == {
        ("a.example", "93.184.216.34"): Outcome.UNCHANGED,
        ("a.example", "10.0.0.1"): Outcome.UNCHANGED,
        ("a.example", "10.0.0.2"): Outcome.NEW_DENIAL,
        ("c.example", "10.1.0.1"): Outcome.NEW_ALLOW,
    }
    refused = found["a.example", "10.0.0.2"]
    assert refused.explanation == "a.example resolves to a private address"
    assert (refused.destination.protocol, refused.tally.last) == (Protocol.HTTPS, T2)
