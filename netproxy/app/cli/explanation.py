"""One explained destination as lines for people and as fields for programs. Pure.

Rules, reasons and file names are others' words: every line goes through `visible`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netproxy.app.cli.printing import DIM, GREEN, RED, YELLOW, paint
from netproxy.model import Reason, Source, Verdict
from netproxy.policy.hosts import unicode_form
from otel import visible
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.policy.engine import Policy, Vetted
    from netproxy.policy.rules import Rule
    from netproxy.policy.trace import Trace

_TINTS = {Verdict.ALLOW: GREEN, Verdict.ASK: YELLOW, Verdict.DENY: RED}
_LABEL = 8  # columns of the names on the left


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a name resolved to, or why it wasn't looked up or found."""

    addresses: tuple[tuple[str, str, bool], ...] = ()  # address, class, whether it is dialled
    note: str | None = None
    hint: str | None = None  # what would open it, where every address was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Which way a destination takes that is let out, or may be."""

    to: str  # direct, or the name of a parent
    by: str | None  # which entry of a route says so; None: no route names it

    def __str__(self) -> str:
        way = "directly" if self.to == "direct" else f"through parent {self.to}"
        return f"{way}, by route {self.by}" if self.by else f"{way}: no route names it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One destination as it was given, and what came of it."""

    given: str
    trace: Trace | None  # None: it is none
    problem: str = ""
    leaving: Leaving | None = None  # None: it is refused, or there are no routes
    found: Found | None = None  # by a lookup; None: not asked for


def vetted(policy: Policy, answer: Vetted) -> Found:
    """Say of each address what it is, and whether it would be dialled."""
    passed = [(address, str(policy.kind(address)), True) for address in answer.passed]
    refused = [(address, str(kind), False) for address, kind in answer.refused]
    return Found(addresses=(*passed, *refused), note=answer.explanation or None, hint=answer.hint)


def fields(explained: Explained) -> dict[str, Any]:
    """Everything, for `--json`."""
    if explained.trace is None:
        return _invalid(explained)
    trace = explained.trace
    said, where = trace.judgement, trace.destination
    told: dict[str, Any] = {
        "destination": explained.given,
        "host": where.host,
        "host_unicode": unicode_form(where.host),
        "address_class": None if trace.kind is None else str(trace.kind),
        "port": where.port,
        "protocol": where.protocol.value,
        "method": trace.method,
        "verdict": said.verdict.value,
        "reason": said.reason.value,
        "source": said.source.value,
        "explanation": _explanation(trace),
        "rule": None if trace.rule is None else _rule_fields(trace.rule),
        "steps": [{"step": step.name, "found": step.found} for step in trace.steps],
        "layers": {str(layer): list(lines) for layer, lines in trace.layers},
        "near": [{"lacks": near.lacks, **_rule_fields(near.rule)} for near in trace.near],
        "change": {
            "text": trace.change.text,
            "flag": trace.change.flag,
            "line": trace.change.line,
            "remove": [_rule_fields(rule) for rule in trace.change.remove],
            "full_mode": trace.change.needs_full_mode,
            "possible": trace.change.is_possible,
        },
    }
    return {**told, **_leaving_fields(explained.leaving), **_lookup_fields(explained.found)}


def lines(explained: Explained, *, colour: bool) -> Iterator[str]:
    """The same for people: the verdict first."""
    given = visible(explained.given)
    if explained.trace is None:
        yield f"{paint('deny ', RED, colour=colour)}  {given}  {Reason.INVALID_DESTINATION}"
        yield _row("why", explained.problem, colour=colour)
        return
    trace = explained.trace
    said = trace.judgement
    verdict = paint(f"{said.verdict.value:<5}", _TINTS[said.verdict], colour=colour)
    yield f"{verdict}  {_named(trace)}  {said.reason}"
    yield _row("why", _explanation(trace), colour=colour)
    yield from _rows("rule", _rule_lines(trace.rule), colour=colour)
    if explained.leaving is not None:
        yield _row("leaves", str(explained.leaving), colour=colour)
    yield from _rows("steps", [f"{s.name}: {s.found}" for s in trace.steps], colour=colour)
    said_by = [f"{layer}: {line}" for layer, each in trace.layers for line in each]
    yield from _rows("layers", said_by, colour=colour)
    near = [f"{n.rule.effect.value} {n.rule.label} {n.lacks}" for n in trace.near]
    yield from _rows("near", near, colour=colour)
    yield from _rows("lookup", _lookup_lines(explained.found), colour=colour)
    verb = "deny it" if said.verdict is Verdict.ALLOW else "allow it"
    yield _row("change", f"to {verb}: {trace.change.text}", colour=colour)


def _named(trace: Trace) -> str:
    """The canonical destination, as its owner writes it beside."""
    where = trace.destination
    native = unicode_form(where.host)
    kind = "" if trace.kind is None else f" ({trace.kind})"
    return visible(f"{where}{kind}" if native == where.host else f"{where} ({native})")


def _explanation(trace: Trace) -> str:
    """The judgement's own words; an allow has none, because nobody is told of it."""
    said = trace.judgement
    if said.explanation:
        return said.explanation
    return f"{trace.destination.authority} is allowed by {_because(trace)}"


def _because(trace: Trace) -> str:
    if trace.rule is None:
        return 'default = "allow"'
    because = f": {trace.rule.reason}" if trace.rule.reason else ""
    return f"rule {trace.rule.label}{because}"


def _rule_lines(rule: Rule | None) -> Iterator[str]:
    if rule is None:
        return
    via = f", from @{rule.origin.bundle}" if rule.origin.bundle else ""
    yield f"{rule.effect.value} {rule.text} at {rule.origin.place} ({rule.origin.layer}{via})"
    if rule.condition is not None:
        yield f"only for {rule.condition}"
    if rule.expires_at is not None:
        yield f"until {_instant(rule.expires_at)}"
    if rule.on_denial is not None:
        yield f"on denial: {rule.on_denial}"


def _rule_fields(rule: Rule) -> dict[str, Any]:
    return {
        "effect": rule.effect.value,
        "text": rule.text,
        "layer": str(rule.origin.layer),
        "file": rule.origin.file,
        "line": rule.origin.line,
        "column": rule.origin.column,
        "key": rule.origin.key,
        "bundle": rule.origin.bundle,
        "reason": rule.reason,
        "condition": None if rule.condition is None else str(rule.condition),
        "expires": None if rule.expires_at is None else _instant(rule.expires_at),
        "on_denial": None if rule.on_denial is None else rule.on_denial.value,
    }


def _invalid(explained: Explained) -> dict[str, Any]:
    empty = ("host", "host_unicode", "address_class", "port", "protocol", "method", "rule")
    obstacle = "none: no rule allows what is no destination"
    return {
        "destination": explained.given,
        **dict.fromkeys(empty),
        "verdict": Verdict.DENY.value,
        "reason": Reason.INVALID_DESTINATION.value,
        "source": Source.PROXY_STATE.value,
        "explanation": explained.problem,
        "steps": [],
        "layers": {},
        "near": [],
        "change": {
            "text": obstacle,
            "flag": None,
            "line": None,
            "remove": [],
            "full_mode": False,
            "possible": False,
        },
        **_lookup_fields(explained.found),
    }


def _leaving_fields(leaving: Leaving | None) -> dict[str, Any]:
    return {} if leaving is None else {"leaves": {"to": leaving.to, "route": leaving.by}}


def _lookup_fields(found: Found | None) -> dict[str, Any]:
    if found is None:
        return {}
    names = ("address", "class", "dialled")
    return {
        "addresses": [dict(zip(names, each, strict=True)) for each in found.addresses],
        "lookup": found.note,
        "lookup_hint": found.hint,
    }


def _lookup_lines(found: Found | None) -> Iterator[str]:
    if found is None:
        return
    for address, kind, is_dialled in found.addresses:
        yield f"{address} ({kind}): {'dialled' if is_dialled else 'refused'}"
    if found.note is not None:
        yield found.note + (f"; {found.hint} opens it" if found.hint else "")


def _instant(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(label: str, texts: Iterator[str] | list[str], *, colour: bool) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield _row("" if number else label, text, colour=colour)


def _row(label: str, text: str, *, colour: bool) -> str:
    return f"  {paint(f'{label:<{_LABEL}}', DIM, colour=colour)}{visible(text)}"
