"""Errors of the approval service: one class per thing a caller does differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.model import Resolution


class ApprovalError(Exception):
    """The base that nobody raises."""


class IllegalStep(ApprovalError):
    """A step that the lifecycle table doesn't have: our bug, and never a state change."""


class UnknownApproval(ApprovalError):
    """No question has this id, or it was settled so long ago that nobody remembers."""


class AlreadyResolved(ApprovalError):
    """The answer came second. `resolution` is what won."""

    def __init__(self, resolution: Resolution) -> None:
        super().__init__(f"already {resolution.status}")
        self.resolution = resolution


class InvalidAnswer(ApprovalError):
    """An answer that doesn't fit its question; the question stays open."""


class StaleAnswer(InvalidAnswer):
    """An answer to something else than what is asked now: look again, then answer."""


class UnknownGrant(ApprovalError):
    """No grant that holds now has this id."""


class RuleRefused(ApprovalError):
    """The rule of an answer for always could not be written. The text says why."""


class ReviewerUnavailable(ApprovalError):
    """This reviewer can't be asked now. The text says why; the other reviewers go on."""


class StoreUnavailable(ApprovalError):
    """The store can't keep or change a record: whatever needed it is denied."""


class UnverifiedWebhook(ApprovalError):
    """A webhook that nobody vouches for. The text says why: for the record, not for the sender."""


class InvalidSecret(ApprovalError):
    """A text that is no webhook secret; the error doesn't repeat it."""


class InvalidJson(ApprovalError):
    """A text that isn't JSON with one meaning."""


class InvalidEndpoint(ApprovalError):
    """A webhook URL that nothing is sent to. The text follows on the name of the setting."""


class LookupFailed(ApprovalError):
    """The name of an endpoint leads nowhere now. The text says why."""


class NoOpinion(ReviewerUnavailable):
    """This reviewer was asked and leaves it to the others."""


class TooWide(InvalidAnswer):
    """The answer reaches further, or lasts longer, than it may here or than this reviewer's may."""


class ForeignDecision(InvalidAnswer):
    """A decision by somebody who was not sent the question."""


class NotAllowedToSay(InvalidAnswer):
    """A decision in the name of somebody whom its sender may not speak for."""
