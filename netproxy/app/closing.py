"""The last line of a run: what stopped it, why, and the smallest way to allow it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproxy.app.supervisor import Denial, Outcome


def closing_line(outcome: Outcome, *, command: str, timeout_seconds: float | None) -> str | None:
    """One line for stderr, or None when the command's own status says everything."""
    if outcome.denial is not None:
        return _denied(outcome.denial)
    if outcome.timed_out:
        return f"stopped the command: it did not end within {timeout_seconds:g} s (--timeout)"
    match outcome.status, outcome.ending:
        case 127, ending if type(ending).__name__ == "NotStarted":
            return f"{command}: command not found"
        case 126, ending if type(ending).__name__ == "NotStarted":
            return f"{command}: cannot be executed"
        case _:
            return None


def _denied(denial: Denial) -> str:
    decision = denial.decision
    hint = f"; to allow it: {decision.hint}" if decision.hint else ""
    return (
        f"stopped the command: {denial.destination} was refused ({decision.reason}): "
        f"{decision.message}{hint}"
    )
