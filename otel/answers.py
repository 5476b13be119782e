"""What a sink is asked, and what its answer means for the batch. Pure."""

from __future__ import annotations

from typing import Protocol

from otel.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The sink has the batch. `rejected` records it took but will not keep."""

    rejected: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """The sink will never take these bytes."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """Nothing was delivered. `after_seconds` is the sink's own wish, if it has one."""

    why: str
    after_seconds: float | None = None


type Answer = Delivered | Unusable | TryLater


class Sink(Protocol):
    """Where batches go."""

    def send(self, body: bytes, timeout_seconds: float) -> Answer:
        """Deliver one encoded batch. Every failure is an answer."""
