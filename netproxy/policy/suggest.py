"""The narrowest rules that cover what people approved, and the allow rules that nothing used. Pure.

A suggestion names hosts, ports and protocols exactly: it never allows a destination that nobody
asked for. Text comes out as TOML that can be pasted below a profile that is there already.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from netproxy.model import Verdict
from netproxy.policy.change import NothingRemembered
from netproxy.policy.history import Decider, Tally
from netproxy.policy.hosts import is_address
from netproxy.policy.origin import Layer
from netproxy.policy.rules import Effect
from netproxy.policy.suffixes import registrable_domain
from netproxy.policy.toml_text import comment, key
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netproxy.model import Destination, Protocol
    from netproxy.policy.engine import Policy
    from netproxy.policy.history import History
    from netproxy.policy.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One rule table: a host, and ports that were all approved for all of the protocols."""

    host: str  # canonical, without brackets
    ports: tuple[int, ...]
    protocols: tuple[Protocol, ...]
    tally: Tally

    @property
    def group(self) -> str:
        """Whose host it is: the registrable domain, or the host itself."""
        return registrable_domain(self.host) or self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """What was approved and no rule of the user's can allow, and why."""

    destination: Destination
    tally: Tally
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """Everything that a journal suggests."""

    rules: tuple[Suggestion, ...]  # by group, host, ports
    bounded: tuple[Bounded, ...]
    denied: tuple[tuple[Destination, Tally], ...]  # by people, and not covered by a deny rule
    unused: tuple[Rule, ...]  # one for each place
    wider: tuple[tuple[str, tuple[str, ...]], ...]  # domain, the hosts below it that are suggested


def suggest(history: History, policy: Policy, *, group: int | None = None) -> Suggestions:
    """Compare what people answered with what the policy says. `group`: see `Suggestions.wider`."""
    approved, denied = _answers(history)
    nothing = NothingRemembered()
    uncovered: dict[Destination, Tally] = {}
    bounded = []
    for where, (methods, tally) in approved.items():
        judgements = [policy.judge(where, method, nothing) for method in methods]
        if all(each.verdict is Verdict.ALLOW for each in judgements):
            continue
        said = next(each for each in judgements if each.verdict is not Verdict.ALLOW)
        if said.hint is None or not policy.is_below_ceiling(where):
            bounded.append(Bounded(destination=where, tally=tally, why=said.explanation))
        else:
            uncovered[where] = tally
    rules = tuple(sorted(_merged(uncovered), key=lambda s: (s.group, s.host, s.ports)))
    return Suggestions(
        rules=rules,
        bounded=tuple(sorted(bounded, key=lambda each: str(each.destination))),
        denied=tuple(
            sorted(
                ((where, t) for where, (_, t) in denied.items() if policy.deny_rule(where) is None),
                key=lambda each: str(each[0]),
            )
        ),
        unused=tuple(_unused(history, policy)),
        wider=tuple(_wider(rules, group)) if group else (),
    )


_Answers = dict["Destination", tuple[set[str], Tally]]


def _answers(history: History) -> tuple[_Answers, _Answers]:
    """Collect what people said yes and no to. Whoever got both was not settled: it is a yes."""
    approved: _Answers = {}
    denied: _Answers = {}
    for asked, tally in history.decisions.items():
        if asked.decider is Decider.PEOPLE:
            answers = approved if asked.allowed else denied
            methods, total = answers.setdefault(asked.destination, (set(), Tally()))
            methods.add(asked.method)
            total.merge(tally)
    return approved, {where: each for where, each in denied.items() if where not in approved}


def _merged(uncovered: dict[Destination, Tally]) -> Iterator[Suggestion]:
    """Merge the ports of one host and protocol, then the protocols that have the same ports."""
    ports: dict[tuple[str, Protocol], dict[int, Tally]] = defaultdict(dict)
    for where, tally in uncovered.items():
        ports[where.host, where.protocol][where.port] = tally
    alike: dict[tuple[str, tuple[int, ...]], list[Protocol]] = defaultdict(list)
    for (host, protocol), found in ports.items():
        alike[host, tuple(sorted(found))].append(protocol)
    for (host, numbers), protocols in alike.items():
        total = Tally()
        for protocol in protocols:
            for tally in ports[host, protocol].values():
                total.merge(tally)
        yield Suggestion(host=host, ports=numbers, protocols=tuple(sorted(protocols)), tally=total)


def _unused(history: History, policy: Policy) -> Iterator[Rule]:
    """Yield the allow rules that decided nothing that was let through, one for each place.

    Neither managed ones, which are somebody else's, nor ones that go by themselves.
    """
    nothing = NothingRemembered()
    used = set()
    for asked in history.decisions:
        judgement = policy.judge(asked.destination, asked.method, nothing)
        rule = policy.allow_rule(asked.destination)
        if judgement.verdict is Verdict.ALLOW and rule is not None:
            used.add(rule.origin)
    for rule in _each_place(policy.spec.rules):
        is_candidate = rule.effect is Effect.ALLOW and rule.expires_at is None
        if is_candidate and rule.origin.layer is not Layer.MANAGED and rule.origin not in used:
            yield rule


def _each_place(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Yield the first rule of each place: a table may stand for several."""
    seen = set()
    for rule in rules:
        if rule.origin not in seen:
            seen.add(rule.origin)
            yield rule


def _wider(rules: Iterable[Suggestion], least: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each registrable domain with at least so many suggested hosts below it."""
    hosts: dict[str, set[str]] = defaultdict(set)
    for rule in rules:
        if not is_address(rule.host) and rule.group != rule.host:
            hosts[rule.group].add(rule.host)
    for domain, below in sorted(hosts.items()):
        if len(below) >= least:
            yield domain, tuple(sorted(below))


def as_toml(found: Suggestions, profile: str) -> str:
    """Write the suggestions as tables of one profile, and everything else as comments."""
    return "\n".join(_toml_lines(found, profile)) + "\n"


def _toml_lines(found: Suggestions, profile: str) -> Iterator[str]:
    count = len(found.rules)
    cover = "rule covers" if count == 1 else "rules cover"
    yield f"# {count} {cover} what people approved and no rule allows yet."
    domain = None
    for rule in found.rules:
        if rule.group != domain:
            domain = rule.group
            yield ""
            yield f"# {domain}"
        yield from _table(rule, profile)
    yield from _comments(found)


def _table(rule: Suggestion, profile: str) -> Iterator[str]:
    yield f"[[profiles.{key(profile)}.network.rules]]  # approved {_times(rule.tally)}"
    yield f'host = "{_bracketed(rule.host)}"'
    yield f"ports = [{', '.join(map(str, rule.ports))}]"
    protocols = ", ".join(f'"{each}"' for each in rule.protocols)
    yield f"protocols = [{protocols}]"
    yield 'verdict = "allow"'


def _comments(found: Suggestions) -> Iterator[str]:
    for domain, hosts in found.wider:
        yield ""
        yield f"# *.{domain} would stand for these {len(hosts)}, and for every other name below it:"
        yield from (f"#   {host}" for host in hosts)
    if found.bounded:
        yield ""
        yield "# Approved, and refused by the policy of today:"
        for each in found.bounded:
            yield comment(f"#   {each.destination}: {each.why} ({_times(each.tally)})")
    if found.denied:
        yield ""
        yield "# Denied by people; as rules of the profile's deny list:"
        yield from (f'#   "{where}",  # {_times(tally)}' for where, tally in found.denied)
    if found.unused:
        yield ""
        yield "# Allow rules that nothing in the journal used:"
        yield from (comment(f"#   {rule.text}: {rule.origin.place}") for rule in found.unused)


def _times(tally: Tally) -> str:
    often = "once" if tally.count == 1 else f"{tally.count} times"
    return f"{often}, last {tally.last[:10]}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
