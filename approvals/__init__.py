"""Approvals: asks reviewers whether a destination may be reached, and remembers what they said.

Knows nothing of proxies, policies and sandboxes; `netproxy.app` puts it in their place.
"""

from approvals.clock import SystemClock
from approvals.config import Config, TerminalConfig
from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    InvalidAnswer,
    ReviewerUnavailable,
    RuleRefused,
    StoreUnavailable,
    UnknownApproval,
)
from approvals.model import (
    Answer,
    Asking,
    Ending,
    Grant,
    Key,
    Outcome,
    Question,
    Resolution,
    Scope,
    Status,
    Verdict,
)
from approvals.ports import Clock, EventSink, Inquiry, Reviewer, RuleWriter, Screen, Store
from approvals.service import ApprovalService
from approvals.store.memory import MemoryStore

__all__ = [
    "AlreadyResolved",
    "Answer",
    "ApprovalError",
    "ApprovalService",
    "Asking",
    "Clock",
    "Config",
    "Ending",
    "EventSink",
    "Grant",
    "Inquiry",
    "InvalidAnswer",
    "Key",
    "MemoryStore",
    "Outcome",
    "Question",
    "Resolution",
    "Reviewer",
    "ReviewerUnavailable",
    "RuleRefused",
    "RuleWriter",
    "Scope",
    "Screen",
    "Status",
    "Store",
    "StoreUnavailable",
    "SystemClock",
    "TerminalConfig",
    "UnknownApproval",
    "Verdict",
]
