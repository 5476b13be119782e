"""The refusals that are nobody's no: neither a policy nor a reviewer said them. Pure.

So none of them ends a run. `gate` says when each is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Decision, Reason, Source

if TYPE_CHECKING:
    from netproxy.model import Request


def state_refusal(reason: Reason, message: str) -> Decision:
    """Refuse for what the proxy itself is in."""
    return Decision(allowed=False, source=Source.PROXY_STATE, reason=reason, message=message)


def run_is_over() -> Decision:
    """Refuse what comes after the run was cancelled."""
    return state_refusal(
        Reason.PROXY_DISABLED, "the command was cancelled; nothing more is let out"
    )


def unrecorded(request: Request) -> Decision:
    """Refuse what is allowed, but not on record."""
    where = request.destination.authority
    return state_refusal(
        Reason.AUDIT_UNAVAILABLE, f"{where} is allowed, but the decision could not be recorded"
    )


def taken_back(request: Request) -> Decision:
    """Refuse what an answer allowed that ended, or was used up, while its record was written."""
    where = request.destination.authority
    return state_refusal(Reason.NOT_ALLOWED, f"the yes to {where} ended meanwhile; ask again")


def nobody_to_ask(request: Request, broken: Exception) -> Decision:
    """Refuse because asking failed."""
    return Decision(
        allowed=False,
        source=Source.DECIDER,
        reason=Reason.APPROVAL_UNAVAILABLE,
        message=f"nobody could be asked about {request.destination.authority}: {broken}",
    )


def abandoned(request: Request, *, is_over: bool) -> Decision:
    """Refuse what nobody waits for any more: the run is over, or the client left."""
    if is_over:
        return run_is_over()
    return Decision(
        allowed=False,
        source=Source.DECIDER,
        reason=Reason.APPROVAL_TIMEOUT,
        message=f"the client left before {request.destination.authority} was answered",
    )
