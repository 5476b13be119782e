"""Which keys answer a question, and when a byte counts as a key. Pure.

A reviewer's key comes alone and after a moment of silence. What was typed for the command, held
down, pasted, or sent by the terminal itself (arrows, mouse, focus) comes early or in bursts, and
answers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from approvals.model import Scope, Verdict

if TYPE_CHECKING:
    from approvals.config import TerminalConfig

CTRL_C = "\x03"
DETAILS = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one key means."""

    key: str
    verdict: Verdict
    scope: Scope
    cancel: bool
    meaning: str  # a short sentence: what will be done


def _deny_and_stop(key: str, scope: Scope, meaning: str) -> Choice:
    return Choice(key=key, verdict=Verdict.DENY, scope=scope, cancel=True, meaning=meaning)


def _deny(key: str, scope: Scope, meaning: str) -> Choice:
    return Choice(key=key, verdict=Verdict.DENY, scope=scope, cancel=False, meaning=meaning)


def _allow(key: str, scope: Scope, meaning: str) -> Choice:
    return Choice(key=key, verdict=Verdict.ALLOW, scope=scope, cancel=False, meaning=meaning)


_REST = "for the rest of this session"
_ALLOWING = (
    _allow("o", Scope.ONCE, "allow once: only the requests that wait now"),
    _allow("s", Scope.SESSION, f"allow {_REST}: this host, port and protocol"),
)
# Safest first, as they are listed.
_STOPPING = (
    _deny_and_stop("d", Scope.ONCE, "deny, and stop the command"),
    _deny_and_stop("D", Scope.SESSION, f"deny {_REST}, and stop the command"),
    _deny("c", Scope.ONCE, "deny, and let the command continue"),
    _deny("C", Scope.SESSION, f"deny {_REST}, and let the command continue"),
    *_ALLOWING,
)
# Where a denial doesn't stop the command anyway, the two meanings of each key fall together.
_CONTINUING = (
    _deny("d", Scope.ONCE, "deny; the command continues"),
    _deny("D", Scope.SESSION, f"deny {_REST}; the command continues"),
    *_ALLOWING,
)
# Who presses Ctrl-C wants things to stop, whatever the run's setting is.
_INTERRUPT = _deny_and_stop(CTRL_C, Scope.ONCE, "deny, and stop the command")


def choices(*, stops_on_denial: bool, scopes: tuple[Scope, ...]) -> tuple[Choice, ...]:
    """The keys that are offered, safest first. `scopes`: what a yes may be given for."""
    known = _STOPPING if stops_on_denial else _CONTINUING
    return tuple(each for each in known if each.verdict is Verdict.DENY or each.scope in scopes)


def choice_of(key: str, *, stops_on_denial: bool, scopes: tuple[Scope, ...]) -> Choice | None:
    """What a key means; None for every other key, Enter among them."""
    offered = (*choices(stops_on_denial=stops_on_denial, scopes=scopes), _INTERRUPT)
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
