"""An open question as a reviewer holds it, without a service behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.inbox import question

if TYPE_CHECKING:
    from approvals.model import Question, Resolution
    from approvals.ports import Inquiry


@dataclass
class FakeInquiry:
    question: Question = field(default_factory=question)
    version: int = 1
    waiting: int = 1
    joined: int = 1
    seconds_left: float = 900.0
    resolution: Resolution | None = None
    accepted: int = 0

    def accept(self) -> None:
        self.accepted += 1


def _fills(inquiry: FakeInquiry) -> Inquiry:
    """Checked by the type checker."""
    return inquiry
