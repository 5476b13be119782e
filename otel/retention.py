"""Which finished segment of a chain may be taken away, and why another may not. Pure.

Where in doubt, evidence is kept: every bound that is set has to say yes. `pruning` finds the facts
and removes.
"""

from __future__ import annotations

from otel.values import dataclass

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long to keep what. None: no bound of that kind; both None: nothing is ever removed."""

    retain_days: float | None  # younger records stay
    max_bytes: int | None  # as long as a writer has no more than this, nothing goes

    def __bool__(self) -> bool:
        return self.retain_days is not None or self.max_bytes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What settings say of it."""

    bounds: Bounds
    sinks: tuple[str, ...]  # keys of those that have to have what goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a writer's oldest segment. The costly facts are asked for in this order."""

    is_held: bool  # somebody forbade it
    is_finished: bool  # it is not the one that is written
    newest_ns: int  # when its last record was written
    total_bytes: int  # of all of the writer's segments
    sinks: int  # that have to have it
    is_exported: bool  # all of them have it, and a checkpoint behind it
    is_signed: bool = True  # its hash, and it is still that
    is_accounted: bool = True  # a signed record says where what was before it went


def why_kept(facts: Facts, bounds: Bounds, *, now_ns: int) -> str | None:
    """In a few words; None: it may go."""
    age_ns = now_ns - facts.newest_ns
    young = bounds.retain_days is not None and age_ns < bounds.retain_days * _DAY_NS
    small = bounds.max_bytes is not None and facts.total_bytes <= bounds.max_bytes
    reasons = (
        (not bounds, "no bound is set"),
        (facts.is_held, "a file named hold forbids it"),
        (not facts.is_finished, "it is being written"),
        (young, f"younger than {bounds.retain_days} days"),
        (small, f"no more than {bounds.max_bytes} bytes in all"),
        (facts.sinks == 0, "it is exported to nobody"),
        (not facts.is_exported, "a sink does not have it yet, or no checkpoint behind it"),
        (not facts.is_signed, "its hash was not signed, or it was changed since"),
        (not facts.is_accounted, "what was before it is gone without a record"),
    )
    return next((reason for holds, reason in reasons if holds), None)
