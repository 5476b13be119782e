"""What is suggested covers what people approved, and nothing that nobody asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Destination, Protocol, Verdict
from netproxy.policy.engine import Policy, compile_policy
from netproxy.policy.history import Decided, History
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.suggest import Suggestions, as_toml, suggest
from tests.support.policies import Memory, allow, deny, policy, to
from tests.support.rule_texts import destinations, rule_lists

if TYPE_CHECKING:
    from netproxy.policy.rules import Rule

PASTED_INTO = '[profiles.dev.network]\nallow = ["example.org"]\n'


def answered(
    where: Destination, *, yes: bool = True, day: int = 1, source: str = "reviewer"
) -> Decided:
    return Decided(
        host=where.host,
        port=where.port,
        protocol=where.protocol.value,
        method="GET",
        decision="allow" if yes else "deny",
        source=source,
        reason="approved" if yes else "denied_by_reviewer",
        timestamp=f"2026-01-0{day}T00:00:00.000Z",
    )


def history(*records: Decided) -> History:
    made = History()
    for record in records:
        made.decided(record)
    return made


def pasted(found: Suggestions, base: Policy) -> Policy:
    """What holds after the snippet was pasted, through our own loader."""
    text = PASTED_INTO + as_toml(found, "dev")
    document = load(text, "config.toml", layer=Layer.USER)
    own = document.profiles["dev"].rules[1:]  # without what was there
    return compile_policy(replace(base.spec, rules=(*base.spec.rules, *own)), now=0.0)


def allowed(by: Policy, where: Destination) -> bool:
    return by.judge(where, "GET", Memory()).verdict is Verdict.ALLOW


def at(rule: Rule, line: int, **changed: object) -> Rule:
    origin = Origin(layer=Layer.USER, file="/c.toml", line=line, column=1, key="k")
    return replace(rule, origin=origin, **changed)  # type: ignore[arg-type]  # a rule's fields


@given(
    rules=rule_lists,
    approved=st.sets(destinations, max_size=8),
    ceiling=st.none() | st.just((allow("**.example.org:*"),)),
    default=st.sampled_from([Verdict.ASK, Verdict.DENY]),
    others=st.lists(destinations, min_size=10, max_size=10),
)
def test_it_covers_each_approval_and_nothing_else(
    rules: list[Rule],
    approved: set[Destination],
    ceiling: tuple[Rule, ...] | None,
    default: Verdict,
    others: list[Destination],
) -> None:
    today = policy(*rules, default=default, ceiling=ceiling)
    found = suggest(history(*map(answered, approved)), today)
    after = pasted(found, today)
    bounded = {each.destination for each in found.bounded}
    assert [where for where in approved - bounded if not allowed(after, where)] == []
    assert [where for where in bounded if allowed(after, where)] == []
    new = [w for w in others if allowed(after, w) and not allowed(today, w)]
    assert set(new) <= approved


def test_ports_and_protocols_of_a_host_are_merged_where_nothing_is_added() -> None:
    socks = Protocol.SOCKS5_TCP
    found = suggest(
        history(
            answered(to("a.example.org:443")),
            answered(to("a.example.org:8443"), day=3),
            answered(to("a.example.org:443", socks)),
            answered(to("a.example.org:8443", socks)),
            answered(to("a.example.org:80", Protocol.HTTP)),
            answered(to("[2606:4700::1]:22", socks), day=2),
        ),
        policy(default=Verdict.ASK),
    )
    assert [(each.host, each.ports, [*map(str, each.protocols)]) for each in found.rules] == [
        ("2606:4700::1", (22,), ["socks5-tcp"]),
        ("a.example.org", (80,), ["http"]),
        ("a.example.org", (443, 8443), ["https", "socks5-tcp"]),
    ]
    assert found.rules[2].tally.count == 4
    assert found.rules[2].tally.last.startswith("2026-01-03")


def test_the_snippet() -> None:
    made = history(
        answered(to("a.example.org:443")),
        answered(to("a.example.org:443"), day=2, source="session_cache"),
        answered(to("b.example.org:443")),
        answered(to("[2606:4700::1]:22")),
        answered(to("evil.example:443")),
        answered(to("no.example:443"), yes=False, day=3),
        answered(to("used.example:443"), source="baseline_policy"),
    )
    today = policy(
        at(allow("used.example"), 3),
        at(allow("old.example"), 4),
        at(deny("evil.example"), 5),
        default=Verdict.ASK,
    )
    assert as_toml(suggest(made, today, group=2), "my dev") == (
        "# 3 rules cover what people approved and no rule allows yet.\n"
        "\n"
        "# 2606:4700::1\n"
        '[[profiles."my dev".network.rules]]  # approved once, last 2026-01-01\n'
        'host = "[2606:4700::1]"\n'
        "ports = [22]\n"
        'protocols = ["https"]\n'
        'verdict = "allow"\n'
        "\n"
        "# example.org\n"
        '[[profiles."my dev".network.rules]]  # approved 2 times, last 2026-01-02\n'
        'host = "a.example.org"\n'
        "ports = [443]\n"
        'protocols = ["https"]\n'
        'verdict = "allow"\n'
        '[[profiles."my dev".network.rules]]  # approved once, last 2026-01-01\n'
        'host = "b.example.org"\n'
        "ports = [443]\n"
        'protocols = ["https"]\n'
        'verdict = "allow"\n'
        "\n"
        "# *.example.org would stand for these 2, and for every other name below it:\n"
        "#   a.example.org\n"
        "#   b.example.org\n"
        "\n"
        "# Approved, and refused by the policy of today:\n"
        "#   https://evil.example:443: evil.example:443 is denied by rule "
        "evil.example (c.toml:5) (once, last 2026-01-01)\n"
        "\n"
        "# Denied by people; as rules of the profile's deny list:\n"
        '#   "https://no.example:443",  # once, last 2026-01-03\n'
        "\n"
        "# Allow rules that nothing in the journal used:\n"
        "#   old.example: /c.toml:4:1 k\n"
    )


def test_nothing_to_say() -> None:
    found = suggest(History(), policy())
    assert as_toml(found, "dev") == "# 0 rules cover what people approved and no rule allows yet.\n"


def test_who_got_both_answers_is_a_yes() -> None:
    where = to("a.example.org:443")
    found = suggest(history(answered(where), answered(where, yes=False)), policy())
    assert (len(found.rules), found.denied) == (1, ())


def test_one_rule_is_spoken_of_as_one() -> None:
    found = suggest(history(answered(to("a.example.org:443"))), policy())
    assert as_toml(found, "dev").startswith("# 1 rule covers what people approved ")


def test_what_a_rule_denies_already_is_not_said_again() -> None:
    where = to("a.example.org:443")
    assert suggest(history(answered(where, yes=False)), policy(deny("*"))).denied == ()
    ((denied, _),) = suggest(history(answered(where, yes=False)), policy()).denied
    assert denied == where


def test_above_the_ceiling_nothing_is_suggested() -> None:
    found = suggest(history(answered(to("a.example.org:443"))), policy(ceiling=()))
    assert found.rules == ()
    assert "outside what the managed settings" in found.bounded[0].why


def test_no_wildcard_is_proposed_unless_asked_and_never_over_few() -> None:
    made = history(answered(to("a.example.org:443")), answered(to("example.org:443")))
    assert suggest(made, policy()).wider == ()
    assert suggest(made, policy(), group=2).wider == ()
    assert suggest(made, policy(), group=1).wider == (("example.org", ("a.example.org",)),)


def test_unused_rules_that_are_not_ours_to_remove() -> None:
    managed = Origin(layer=Layer.MANAGED, file="/m.toml", line=1, column=1, key="k")
    today = policy(
        at(allow("a.example.org"), 1),
        at(allow("socks5-tcp://a.example.org"), 1),
        at(allow("b.example.org"), 2, expires_at=9e9),
        replace(allow("c.example.org"), origin=managed),
        at(deny("d.example.org"), 4),
    )
    assert [rule.text for rule in suggest(History(), today).unused] == ["a.example.org"]
    by_rule = answered(to("a.example.org:443"), source="baseline_policy")
    assert suggest(history(by_rule), today).unused == ()


def test_a_file_name_ends_no_comment() -> None:
    origin = Origin(layer=Layer.USER, file="/c\nallow.toml", line=1, column=1, key="k")
    written = as_toml(suggest(History(), policy(replace(allow("*"), origin=origin))), "dev")
    assert all(line.startswith("#") for line in written.splitlines() if line)


def test_what_a_rule_allows_by_now_is_not_suggested() -> None:
    where = to("a.example.org:443")
    assert suggest(history(answered(where)), policy(allow("a.example.org"))).rules == ()
