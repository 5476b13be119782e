"""Which keys answer a question, and when a byte counts as a key. Pure.

A reviewer's key comes alone and after a moment of silence. What was typed for the command, held
down, pasted, or sent by the terminal itself (arrows, mouse, focus) comes early or in bursts, and
answers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Scope, Verdict
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from approvals.config import TerminalConfig
    from approvals.model import Question

CTRL_C = "\x03"
DETAILS = "?"
# Switches between this question and all of its group that wait; the next key answers.
GROUP = "g"
# Long enough for an install or a piece of work, short enough to be forgotten by itself.
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one key means."""

    key: str
    verdict: Verdict
    scope: Scope
    cancel: bool
    meaning: str  # a short sentence: what will be done
    seconds: float | None = None  # of a yes for a time


def _deny_and_stop(key: str, scope: Scope, meaning: str) -> Choice:
    return Choice(key=key, verdict=Verdict.DENY, scope=scope, cancel=True, meaning=meaning)


def _deny(key: str, scope: Scope, meaning: str) -> Choice:
    return Choice(key=key, verdict=Verdict.DENY, scope=scope, cancel=False, meaning=meaning)


def _allow(key: str, scope: Scope, meaning: str) -> Choice:
    return Choice(key=key, verdict=Verdict.ALLOW, scope=scope, cancel=False, meaning=meaning)


_REST = "for the rest of this session"
_ALLOWING = (
    _allow("o", Scope.ONCE, "allow once: only the requests that wait now"),
    _allow("h", Scope.TIME, "allow"),
    _allow("s", Scope.SESSION, f"allow {_REST}: this host, port and protocol"),
    _allow("A", Scope.ALWAYS, "allow always: a rule in your policy, for every run from now on"),
)
# Safest first, as they are listed.
_STOPPING = (
    _deny_and_stop("d", Scope.ONCE, "deny, and stop the command"),
    _deny_and_stop("D", Scope.SESSION, f"deny {_REST}, and stop the command"),
    _deny("c", Scope.ONCE, "deny, and let the command continue"),
    _deny("C", Scope.SESSION, f"deny {_REST}, and let the command continue"),
    _deny_and_stop("N", Scope.ALWAYS, "deny always: a rule in your policy; stop the command"),
    *_ALLOWING,
)
# Where a denial doesn't stop the command anyway, the two meanings of each key fall together.
_CONTINUING = (
    _deny("d", Scope.ONCE, "deny; the command continues"),
    _deny("D", Scope.SESSION, f"deny {_REST}; the command continues"),
    _deny("N", Scope.ALWAYS, "deny always: a rule in your policy; the command continues"),
    *_ALLOWING,
)
# Who presses Ctrl-C wants things to stop, whatever the run's setting is.
_INTERRUPT = _deny_and_stop(CTRL_C, Scope.ONCE, "deny, and stop the command")


def choices(question: Question) -> tuple[Choice, ...]:
    """The keys that are offered, safest first: what can be kept, and nothing else."""
    known = _STOPPING if question.asking.stops_on_denial else _CONTINUING
    allowed, denied = question.scopes, question.denial_scopes
    seconds = min(HOUR_SECONDS, question.longest_seconds)
    return tuple(
        replace(each, seconds=seconds) if each.scope is Scope.TIME else each
        for each in known
        if each.scope in (allowed if each.verdict is Verdict.ALLOW else denied)
    )


def choice_of(key: str, question: Question) -> Choice | None:
    """What a key means; None for every other key, Enter among them."""
    offered = (*choices(question), _INTERRUPT)
    return next((choice for choice in offered if choice.key == key), None)


class Keyboard:
    """Decides which bytes are a key press that was meant for the question."""

    def __init__(self, config: TerminalConfig, now: float) -> None:
        self._quiet_seconds = config.quiet_seconds
        self._deaf_until = now + config.deaf_seconds

    def press(self, data: bytes, now: float) -> str | None:
        """The key; empty for a burst, which gets help; None for what is ignored in silence."""
        deaf = now < self._deaf_until
        if deaf or len(data) != 1:
            self._deaf_until = max(self._deaf_until, now + self._quiet_seconds)
            return None if deaf else ""
        return data.decode("latin-1")
