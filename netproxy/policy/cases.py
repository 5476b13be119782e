"""Expected verdicts, for policy in CI: the file of `netproxy policy test`, and its judge. Pure.

Nothing is looked up: what a name would resolve to stands in the case, where it matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Reason, Verdict
from netproxy.policy.change import NothingRemembered
from netproxy.policy.destinations import parse_destination
from netproxy.policy.fields import Literals, MethodText, OneLine, Strict, reader
from netproxy.policy.hosts import shown
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.reading import Reading
from netproxy.policy.spelling import nearest
from otel.values import dataclass

if TYPE_CHECKING:
    from netproxy.model import Destination
    from netproxy.policy.engine import Policy


def _reason(text: str) -> str:
    if text not in set(Reason):
        raise InvalidRule(f"{shown(text)} is not a reason{nearest(text, Reason)}")
    return text


class CaseTable(Strict):
    """One destination and what is expected of it."""

    destination: Annotated[str, Field(description="a URL, or protocol://host:port")]
    verdict: Literal["allow", "deny", "ask"]
    name: OneLine | None = None
    reason: (
        Annotated[
            str,
            BeforeValidator(reader(_reason)),
            WithJsonSchema({"enum": [str(reason) for reason in Reason]}),
        ]
        | None
    ) = None
    rule: (
        Annotated[OneLine, Field(description="the rule that decides, as it is written")] | None
    ) = None
    method: MethodText | None = None
    addresses: Annotated[Literals, Field(description="what the name would resolve to")] | None = (
        None
    )


class CasesFile(Strict):
    """Destinations and the verdicts that are expected of a policy."""

    config: (
        Annotated[str, Field(description="the user's file; paths start at this file")] | None
    ) = None
    project: Annotated[str, Field(description="a project's file, as if trusted")] | None = None
    requirements: Annotated[str, Field(description="a managed file")] | None = None
    profile: str | None = None
    cases: Annotated[list[CaseTable], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the policy says, all the way to the dial."""

    verdict: Verdict
    reason: Reason
    rule: str | None  # as it was written, with where
    explanation: str

    @property
    def because(self) -> str:
        """The reason, and the rule or the clause behind it."""
        behind = self.explanation or (f"rule {self.rule}" if self.rule else "")
        return f"{self.reason}: {behind}" if behind else str(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One expectation, checked and placed."""

    text: str  # the destination as it was written
    target: tuple[Destination, str] | InvalidDestination  # with the method that is asked for
    name: str | None
    verdict: Verdict
    reason: str | None
    rule: str | None
    addresses: tuple[str, ...] | None
    origin: Origin

    def outcome(self, policy: Policy) -> Outcome:
        """Judge it, as a session would that remembers nothing."""
        if isinstance(self.target, InvalidDestination):
            return Outcome(
                verdict=Verdict.DENY,
                reason=Reason.INVALID_DESTINATION,
                rule=None,
                explanation=str(self.target),
            )
        destination, method = self.target
        judgement = policy.judge(destination, method, NothingRemembered())
        verdict, reason, said = judgement.verdict, judgement.reason, judgement.explanation
        if verdict is Verdict.ALLOW and self.addresses is not None:
            vetted = policy.vet(destination, self.addresses)
            if not vetted.passed:
                verdict, reason = Verdict.DENY, Reason.NOT_ALLOWED_LOCAL
                said = vetted.explanation
        return Outcome(verdict=verdict, reason=reason, rule=judgement.rule, explanation=said)

    def fault(self, outcome: Outcome) -> str | None:
        """Say what differs from what was expected, or None."""
        expected = [str(self.verdict.value)]
        met = self.verdict is outcome.verdict
        if self.reason is not None:
            expected.append(self.reason)
            met = met and self.reason == outcome.reason
        if self.rule is not None:
            expected.append(f"by rule {self.rule}")
            met = met and _is_rule(self.rule, outcome.rule)
        if met:
            return None
        return f"expected {' '.join(expected)}, got {outcome.verdict.value} ({outcome.because})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """A whole file of them. Paths are as they are written: relative to the file."""

    config: str | None
    project: str | None
    requirements: str | None
    profile: str | None
    cases: tuple[Case, ...]


def load_cases(text: str, name: str) -> Cases:
    """Validate a whole file. Raises `InvalidSettings` with a line for each problem."""
    reading = Reading(text, name, Layer.USER)
    file = reading.shape(CasesFile)
    cases = [] if file is None else [_case(reading, *item) for item in enumerate(file.cases)]
    reading.finish()
    assert file is not None, "a file that does not fit its model has left problems"
    return Cases(
        config=file.config,
        project=file.project,
        requirements=file.requirements,
        profile=file.profile,
        cases=tuple(cases),
    )


def _case(reading: Reading, index: int, table: CaseTable) -> Case:
    target = _target(table)
    # A slip of the pen would pass every test that expects a no.
    if isinstance(target, InvalidDestination) and table.reason != Reason.INVALID_DESTINATION:
        reading.report(("cases", index, "destination"), str(target))
    return Case(
        text=table.destination,
        target=target,
        name=table.name,
        verdict=Verdict(table.verdict),
        reason=table.reason,
        rule=table.rule,
        addresses=None if table.addresses is None else tuple(table.addresses),
        origin=reading.origin(("cases", index)),
    )


def _target(table: CaseTable) -> tuple[Destination, str] | InvalidDestination:
    try:
        destination, method = parse_destination(table.destination)
    except InvalidDestination as error:
        return error
    return destination, table.method or method


def _is_rule(written: str, label: str | None) -> bool:
    """Tell whether a label, `RULE (file:line)`, is of the rule that was written so."""
    return label is not None and (label == written or label.startswith(f"{written} ("))
