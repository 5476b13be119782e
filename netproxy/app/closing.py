"""The last line of a run: what stopped it, why, and the smallest way to allow it. Pure."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sandbox.errors import PlanRefused
from sandbox.limits import KINDS, exceeded
from sandbox.model import NotStarted, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netproxy.app.supervisor import Denial, Outcome
    from netproxy.model import Decision
    from sandbox.limits import Limit

_INTERRUPTED = 130  # 128 + SIGINT, as a shell has it
_OURS = 125
_WHY_NOT = {
    errno.ENOENT: "command not found",
    errno.E2BIG: "its arguments and variables together are longer than the kernel takes "
    "(execve(2)); give it fewer variables with --inherit-env core, or its arguments in a file",
}


def closing_line(
    outcome: Outcome, *, command: str, timeout_seconds: float | None, limits: Iterable[Limit] = ()
) -> str | None:
    """One line for stderr, or None when the command's own status says everything."""
    if outcome.denial is not None:
        return _denied(outcome.denial)
    if outcome.timed_out:
        return f"stopped the command: it did not end within {timeout_seconds:g} s (--timeout)"
    if isinstance(outcome.ending, NotStarted):
        return f"{command}: {why_not(outcome.ending)}"
    if isinstance(outcome.ending, Signalled) and outcome.ending.unreported:
        return "the sandbox was killed, or its monitor: everything in it has ended with it"
    limit = None if outcome.ending is None else exceeded(limits, outcome.ending)
    if limit is not None:
        said = f"--limit {limit.name}={limit.amount}"
        return f"a program of the command reached {said} and was ended ({KINDS[limit.name].what})"
    return None


def status_of(failure: BaseException) -> int:
    """What a run exits with that something of ours failed in."""
    match failure:
        case KeyboardInterrupt():
            return _INTERRUPTED
        case SystemExit(code=int(code)):  # `netproxy.app.called_off`
            return code
        case PlanRefused():
            return os.EX_USAGE
        case _:
            return _OURS


def why_not(ending: NotStarted) -> str:
    """What kept a command from being executed."""
    return _WHY_NOT.get(ending.errno, "cannot be executed")


def _denied(denial: Denial) -> str:
    decision = denial.decision
    return (
        f"stopped the command: {denial.destination} was refused ({decision.reason}): "
        f"{decision.message.removesuffix('.')}{_way_out(decision)}"
    )


def _way_out(decision: Decision) -> str:
    """What would allow it: a flag, or the rule that stands in the way. A deny beats any allow."""
    if decision.hint is not None:
        return f"; to allow it: {decision.hint}"
    if decision.rule is not None:
        return f"; to allow it, remove the rule {decision.rule}"
    return ""
