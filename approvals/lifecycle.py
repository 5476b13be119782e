"""The life of an approval as a table. Pure: whoever acts on a step does so elsewhere.

    pending --grant--> granted --use-----> used
       |--deny------> denied   |--expire-> expired
       |--expire----> expired  `--revoke-> revoked
       `--withdraw--> withdrawn

A status without a row is final. A remembered denial is memory that `denied` leaves behind; the
status itself never changes again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from approvals.errors import IllegalStep
from approvals.model import GrantEnd, Record, Status
from otel.values import replace

if TYPE_CHECKING:
    from approvals.model import Answer


class Step(StrEnum):
    """What can happen to an approval."""

    GRANT = "grant"
    DENY = "deny"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    USE = "use"
    REVOKE = "revoke"


TRANSITIONS: dict[tuple[Status, Step], Status] = {
    (Status.PENDING, Step.GRANT): Status.GRANTED,
    (Status.PENDING, Step.DENY): Status.DENIED,
    (Status.PENDING, Step.EXPIRE): Status.EXPIRED,
    (Status.PENDING, Step.WITHDRAW): Status.WITHDRAWN,
    (Status.GRANTED, Step.USE): Status.USED,
    (Status.GRANTED, Step.EXPIRE): Status.EXPIRED,
    (Status.GRANTED, Step.REVOKE): Status.REVOKED,
}

# What the end of a grant is for the approval that left it.
_STEPS: dict[GrantEnd, Step] = {
    GrantEnd.USED: Step.USE,
    GrantEnd.USED_UP: Step.USE,
    GrantEnd.EXPIRED: Step.EXPIRE,
    GrantEnd.REVOKED: Step.REVOKE,
    GrantEnd.RUN_ENDED: Step.EXPIRE,
    GrantEnd.SESSION_ENDED: Step.EXPIRE,
    GrantEnd.GATEWAY_LOST: Step.EXPIRE,
}

FINAL = frozenset(Status) - {status for status, _ in TRANSITIONS}


def advance(status: Status, step: Step) -> Status:
    """The status after `step`. Raises `IllegalStep` where the table has no row."""
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        raise IllegalStep(f"{step} in {status}") from None


def next_record(record: Record, step: Step, answer: Answer | None = None) -> Record:
    """`record` after `step`, one version on; an answer that is already there stays."""
    return replace(
        record,
        status=advance(record.status, step),
        version=record.version + 1,
        answer=record.answer or answer,
    )


def after_grant(record: Record, end: GrantEnd) -> Record:
    """`record` after the grant that it left came to its end. A denial stays one."""
    return next_record(record, _STEPS[end]) if record.status is Status.GRANTED else record
