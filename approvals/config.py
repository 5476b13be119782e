"""Times of the approval service, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from approvals.model import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How long connections, questions and leases live."""

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
    open_questions: int = 64
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
