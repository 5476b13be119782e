"""What a journal recorded about each destination, and what today's policy makes of it. Pure.

Records are counted by what was asked and how it was decided, so a long journal takes no more memory
than its distinct requests do. Reading the journal is `netproxy.app.journal_history`'s part.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Destination, Judgement, Source, Verdict
from netproxy.policy.change import NothingRemembered
from netproxy.policy.hosts import destination
from netproxy.policy.rules import parse_protocol
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.policy.engine import Policy

# As much as a method may have to be one (RFC 9110 section 9.1 names eight, all shorter).
_METHOD_LENGTH = 64


class Decider(StrEnum):
    """Who decided then."""

    POLICY = "policy"
    PEOPLE = "people"  # somebody was asked, now or earlier in the session
    NOBODY = "nobody"  # the question found no answer in time, or nobody to ask


# The gateway's own state (malformed, no audit, too much) says nothing about the policy.
_DECIDERS: dict[str, Decider] = {
    Source.BASELINE_POLICY: Decider.POLICY,
    Source.MODE_GUARD: Decider.POLICY,
    Source.REVIEWER: Decider.PEOPLE,
    Source.SESSION_CACHE: Decider.PEOPLE,
    Source.DECIDER: Decider.NOBODY,
}


class Outcome(StrEnum):
    """What becomes of a recorded decision today."""

    NEW_DENIAL = "new denial"
    NEW_ALLOW = "new allow"
    NOW_ASKED = "now asked"
    ANSWERED = "asked again"  # as it was then: no difference
    UNCHANGED = "unchanged"


DIFFERENCES = frozenset({Outcome.NEW_DENIAL, Outcome.NEW_ALLOW, Outcome.NOW_ASKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One recorded decision as its record spells it: nothing of it is trusted yet."""

    host: str
    port: int
    protocol: str
    method: str
    decision: str
    source: str
    reason: str
    timestamp: str  # as records have them: they sort as text


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What was asked for, and how it was decided."""

    destination: Destination
    method: str
    allowed: bool
    decider: Decider
    reason: str


@dataclass(slots=True)
class Tally:
    """How often, and when first and last."""

    count: int = 0
    first: str = ""
    last: str = ""

    def add(self, timestamp: str, *, times: int = 1) -> None:
        """Count one more."""
        self.count += times
        self.first = min(self.first or timestamp, timestamp)
        self.last = max(self.last, timestamp)

    def merge(self, other: Tally) -> None:
        """Count all that another counted."""
        self.add(other.first, times=other.count)
        self.last = max(self.last, other.last)


Dial = tuple[str, int, str, bool]  # host, port, address; whether it was opened


@dataclass(slots=True)
class History:
    """Everything that a journal says about destinations, each once."""

    decisions: dict[Key, Tally] = field(default_factory=dict)
    dials: dict[Dial, Tally] = field(default_factory=dict)
    malformed: int = 0  # no destination that could be judged
    undecided: int = 0  # refused for the gateway's own state

    def decided(self, record: Decided) -> None:
        """Count one decision."""
        decider = _DECIDERS.get(record.source)
        if decider is None:
            self.undecided += 1
            return
        try:
            asked = destination(record.host, record.port, parse_protocol(record.protocol))
        except (InvalidDestination, InvalidRule):
            self.malformed += 1
            return
        if record.decision not in {"allow", "deny"} or len(record.method) > _METHOD_LENGTH:
            self.malformed += 1
            return
        key = Key(
            destination=asked,
            method=record.method,
            allowed=record.decision == "allow",
            decider=decider,
            reason=record.reason,
        )
        self.decisions.setdefault(key, Tally()).add(record.timestamp)

    def dialled(self, dial: Dial, timestamp: str) -> None:
        """Count an address that a name led to."""
        self.dials.setdefault(dial, Tally()).add(timestamp)

    def destinations(self) -> set[Destination]:
        """Return each destination once."""
        return {key.destination for key in self.decisions}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One recorded request under today's policy."""

    key: Key
    tally: Tally
    outcome: Outcome
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Redialled:
    """One recorded address of a name under today's policy. Nothing was looked up again."""

    destination: Destination
    address: str
    tally: Tally
    outcome: Outcome
    explanation: str


def replay(history: History, policy: Policy) -> Iterator[Replayed]:
    """Judge every recorded request again; no session remembers anything."""
    nothing = NothingRemembered()
    for key, tally in history.decisions.items():
        judgement = policy.judge(key.destination, key.method, nothing)
        outcome = _outcome(key, judgement.verdict)
        yield Replayed(key=key, tally=tally, outcome=outcome, judgement=judgement)


def redial(history: History, policy: Policy) -> Iterator[Redialled]:
    """Vet every recorded address again, for what today's policy allows by name."""
    nothing = NothingRemembered()
    asked: dict[tuple[str, int], Destination] = {}
    for key in history.decisions:
        where = key.destination
        if policy.judge(where, key.method, nothing).verdict is Verdict.ALLOW:
            asked.setdefault((where.host, where.port), where)
    for (host, port, address, was_opened), tally in history.dials.items():
        if (there := asked.get((host, port))) is None:
            continue
        vetted = policy.vet(there, (address,))
        outcome = Outcome.UNCHANGED
        if was_opened is not bool(vetted.passed):
            outcome = Outcome.NEW_ALLOW if vetted.passed else Outcome.NEW_DENIAL
        yield Redialled(
            destination=there,
            address=address,
            tally=tally,
            outcome=outcome,
            explanation=vetted.explanation,
        )


def _outcome(key: Key, today: Verdict) -> Outcome:
    match today, key.allowed:
        case (Verdict.ALLOW, True) | (Verdict.DENY, False):
            return Outcome.UNCHANGED
        case Verdict.ALLOW, _:
            return Outcome.NEW_ALLOW
        case Verdict.DENY, _:
            return Outcome.NEW_DENIAL
        case _:
            return Outcome.NOW_ASKED if key.decider is Decider.POLICY else Outcome.ANSWERED
