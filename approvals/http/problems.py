"""What goes wrong, as RFC 9457 problem documents: a closed list, and no word of ours inside them.

A handler raises `Problem`; errors of the approval service become one by `problem_of`. What is
neither is our bug, and is told to nobody but the log.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    InvalidAnswer,
    StaleAnswer,
    StoreUnavailable,
    UnknownApproval,
    UnknownGrant,
)
from approvals.model import Status
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from approvals.model import Resolution

# A store that is down is asked again soon: people wait.
_RETRY_SECONDS = 2


class Problem(Exception):
    """A refusal with its status. `code` is for programs, `detail` is one sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        """`members` are what else the document says, by name."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def document(self, request_id: str) -> dict[str, object]:
        """The JSON of the answer. `instance` is what the log knows the request as."""
        return {
            "type": f"urn:netproxy:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:netproxy:request:{request_id}",
            **self.members,
        }


def invalid(field: str, what: str) -> Problem:
    """One field of a request is wrong."""
    errors = [{"field": field, "detail": what}]
    return Problem(422, "invalid", f"{field}: {what}", members={"errors": errors})


def problem_of(error: ApprovalError) -> Problem:
    """What an error of the approval service is to an HTTP client."""
    match error:
        case AlreadyResolved(resolution=winner):
            return _resolved(winner)
        case StaleAnswer():
            return Problem(409, "stale", f"{error}: look at the question again")
        case InvalidAnswer():
            return Problem(422, "invalid", str(error), members={"errors": []})
        case UnknownApproval() | UnknownGrant():
            what = "approval" if isinstance(error, UnknownApproval) else "grant that holds now"
            return Problem(404, "unknown", f"there is no such {what}")
        case StoreUnavailable():
            return Problem(
                503,
                "store_unavailable",
                "the approval store can't be used now: nothing was changed",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        case _:
            return Problem(500, "internal", "this could not be done")


def _resolved(winner: Resolution) -> Problem:
    """Somebody or something was faster: 410 when that was the clock, else 409 with the winner."""
    said: dict[str, object] = {
        "approval_id": winner.approval_id,
        "state": winner.status,
        "winner": None,
    }
    if winner.status is Status.EXPIRED and winner.answer is None:
        return Problem(410, "expired", "the question has expired", members=said)
    if (answer := winner.answer) is not None:
        said["winner"] = {
            "verdict": answer.verdict,
            "scope": answer.scope,
            "reviewer": answer.reviewer,
            "channel": answer.channel,
        }
        by = f"{visible(answer.reviewer)} ({visible(answer.channel)})"
        return Problem(409, "already_resolved", f"{by} was faster", members=said)
    return Problem(409, "already_resolved", f"it is over: {winner.explanation}", members=said)
