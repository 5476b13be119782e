"""What the approval service and its reviewers can be told, each default with its reason. Pure.

Where the values come from, `netproxy.app.approval_settings` knows: nothing here reads a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Scope
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.model import Key, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How long connections, questions and leases live, and how many questions there may be."""

    # A person must find the message, read it and answer; curl waits 300 s, pip retries after 15 s.
    hold_seconds: float = 120.0
    # A question outlives the connection that raised it, so that a late yes can serve the retry.
    answerable_seconds: float = 900.0
    # A retry that comes later than this is not the one that the reviewer had in mind.
    lease_seconds: float = 60.0
    # A reviewer that can't even take the question in this time will not show it to anybody.
    delivery_seconds: float = 10.0
    # Long enough not to hammer, short enough that a yes in the meantime is soon of use.
    retry_after_seconds: int = 5
    # Nobody answers more than these one by one; a command that makes up names would ask for ever.
    max_pending: int = 64  # of one session
    # An install asks for a dozen hosts; who asks for hundreds within minutes makes names up.
    max_new: int = 240  # questions of one session within the window
    new_window_seconds: float = 600.0
    # What comes beyond a limit is told once in this time, with its number.
    flood_window_seconds: float = 60.0
    # How late a change by another gateway takes effect: revoking must cut within a second.
    poll_seconds: float = 0.5
    # How long a question stands that a killed gateway left. One look is a commit.
    sweep_seconds: float = 30.0
    # What an administrator may narrow: how far a yes reaches, and how long it lives.
    widest_scope: Scope = Scope.SESSION
    grant_seconds: float | None = None  # None: as long as its scope
    # A late answer is told who won for as long as anybody can still have the question on screen.
    remembered_resolutions: int = 1024

    @property
    def longest_lease(self) -> float:
        """How long a late yes waits for the retry: no longer than any yes may live."""
        if self.grant_seconds is None:
            return self.lease_seconds
        return min(self.lease_seconds, self.grant_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalConfig:
    """How the terminal reviewer behaves."""

    # Keys typed before a person can have read the question must not answer it.
    deaf_seconds: float = 0.5
    # Somebody who is still typing for the command presses the next key sooner than this.
    quiet_seconds: float = 0.3
    # The time left is shown in seconds.
    tick_seconds: float = 1.0
    # How soon a question follows when the terminal becomes free or the job comes to the front.
    poll_seconds: float = 0.1
    # A run that was told to stop and goes on asking after that is shown again.
    stopping_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One endpoint that is told of questions and may answer them."""

    name: str
    url: str
    # Bytes of `whsec_` secrets. Several while one is rotated: all sign, all verify.
    secrets: tuple[bytes, ...]  # of what is sent
    reply_secrets: tuple[bytes, ...]  # of its answers; empty: it may not answer
    # Blocks of private addresses that it may be at, `10.0.0.0/8`; public ones it always may.
    allow_private: tuple[str, ...]
    may_assert: tuple[str, ...]  # the reviewers that it may name; empty: none but itself
    widest_scope: Scope  # of a yes
    # Standard Webhooks asks for 15 to 30 s; a receiver that needs longer should queue.
    timeout_seconds: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """A program that answers questions: the question on its stdin, a verdict on its stdout."""

    name: str
    argv: tuple[str, ...]  # no shell reads it; the program is an absolute path
    widest_scope: Scope  # of a yes
    environment: tuple[str, ...]  # the variables that it gets of ours, by name
    # A lookup or a model's answer; a person who thinks longer has better reviewers than this one.
    timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoRule:
    """An answer that nobody has to give each time. All that it names must fit."""

    name: str
    matches: Callable[[Key], bool]
    verdict: Verdict
    scope: Scope
    seconds: float | None  # with `Scope.TIME`
    cancel: bool | None  # of a denial; None: as the run would
    hours: tuple[int, int] | None  # minutes after midnight, local time: from, to; may wrap
    days: frozenset[int] | None  # 0 is Monday
    limit: int | None  # answers in one session; None: any number
    reason: str | None  # told as the answer's comment
