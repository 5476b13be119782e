"""What all questions of a service share: whom to ask, where to keep, what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from approvals.config import Config
    from approvals.docket import Docket
    from approvals.grants import Grants
    from approvals.memory import SessionMemory
    from approvals.ports import Clock, Reviewer, RuleWriter, Store
    from approvals.trail import Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The service as one of its questions sees it."""

    reviewers: tuple[Reviewer, ...]
    store: Store
    trail: Trail
    memory: SessionMemory
    grants: Grants
    docket: Docket
    rules: RuleWriter | None
    clock: Clock
    config: Config
    ready: Callable[[], Awaitable[None]]  # raises `StoreUnavailable`
    changed: Callable[[], None]  # called when the store has something new
