"""Operations on questions: see them, answer one, answer a group, see how others ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.errors import ApprovalError
from approvals.http import wire
from approvals.http.documents import (
    decision_document,
    pending_document,
    resolution_document,
    story_document,
)
from approvals.http.identity import Permission
from approvals.http.operations import forbid, in_turns
from approvals.http.problems import Problem, invalid, problem_of
from approvals.http.rejections import record_rejection, rejection_of
from approvals.model import Answer, Budget, Scope, Verdict

if TYPE_CHECKING:
    from approvals.http.identity import Identity
    from approvals.http.operations import Call
    from approvals.http.site import Site
    from approvals.model import Pending


async def list_approvals(call: Call) -> wire.PendingList:
    """Every question that stands."""
    note_presence(call.site, call.identity)
    standing = call.site.inbox.pending()
    return wire.PendingList(approvals=await in_turns(pending_document, standing))


async def get_approval(call: Call) -> wire.Story:
    """One question, standing or over, with what is known around it."""
    note_presence(call.site, call.identity)
    approval_id, inbox = call.path["id"], call.site.inbox
    story = await inbox.story(approval_id)
    if story is None:
        raise Problem(404, "unknown", "there is no such approval")
    return story_document(story, inbox.find(approval_id))


async def answer_approval(call: Call) -> wire.Resolution:
    """Answer one question."""
    approval_id, body = call.path["id"], call.body
    _check_rules(call, approval_id, body)
    answer = answer_of(body, call.identity, call.site.inbox.find(approval_id))
    try:
        resolution = await call.site.inbox.decide(approval_id, answer)
    except ApprovalError as error:
        _reject(call, approval_id, error)
        raise
    return resolution_document(resolution)


async def answer_group(call: Call) -> wire.GroupResults:
    """Answer several questions, each for itself."""
    bodies = {body.approval_id: body for body in call.body.answers}
    if len(bodies) != len(call.body.answers):
        raise invalid("answers", "a question is there twice")
    answers: dict[str, Answer] = {}
    problems: dict[str, Problem] = {}
    for approval_id, body in bodies.items():
        _check_rules(call, approval_id, body)
        try:
            answers[approval_id] = answer_of(body, call.identity, call.site.inbox.find(approval_id))
        except Problem as problem:
            problems[approval_id] = problem
    outcomes = await call.site.inbox.decide_all(answers)
    return wire.GroupResults(
        results=[
            _group_result(call, approval_id, problems.get(approval_id), outcomes.get(approval_id))
            for approval_id in bodies
        ]
    )


async def list_decisions(call: Call) -> wire.DecisionList:
    """Questions that are over, newest first."""
    limit = call.query.limit
    records = await call.site.inbox.recent(limit=limit, before=call.query.before)
    is_last = len(records) < limit or not records
    return wire.DecisionList(
        decisions=await in_turns(decision_document, records),
        next=None if is_last else records[-1].ended_at,
    )


def note_presence(site: Site, identity: Identity) -> None:
    """Whoever may answer and looks is a reviewer who is there."""
    if identity.may(Permission.DECIDE):
        site.presence.polled()


def answer_of(body: wire.AnswerBody, identity: Identity, pending: Pending | None) -> Answer:
    """The answer that is meant. Raises `Problem` 422 for fields that don't go together.

    `pending` says what a denial does to the command where the body leaves it open; where there is
    none the answer comes too late anyway.
    """
    _check_fields(body)
    stops = pending is not None and pending.question.asking.stops_on_denial
    denies = body.verdict is Verdict.DENY
    return Answer(
        verdict=body.verdict,
        scope=body.scope,
        cancel=denies and (stops if body.cancel is None else body.cancel),
        reviewer=identity.name,
        channel=identity.channel,
        seen_join_no=body.seen.join_no,
        comment=body.comment or None,
        seconds=body.seconds,
        budget=None
        if body.budget is None
        else Budget(connections=body.budget.connections, bytes=body.budget.bytes),
        seen_version=body.seen.version,
        seen_digest=body.seen.digest,
    )


def _check_fields(body: wire.AnswerBody) -> None:
    allows = body.verdict is Verdict.ALLOW
    if (body.seconds is not None) is not (allows and body.scope is Scope.TIME):
        raise invalid("seconds", "goes with an allow for the scope time, and only with it")
    if body.budget is not None:
        if not allows or body.scope in {Scope.ONCE, Scope.ALWAYS}:
            raise invalid("budget", "goes with an allow that is remembered")
        if body.budget.connections is None and body.budget.bytes is None:
            raise invalid("budget", "says neither connections nor bytes")
    if body.cancel and allows:
        raise invalid("cancel", "goes with a denial")


def _check_rules(call: Call, approval_id: str, body: wire.AnswerBody) -> None:
    if body.scope is Scope.ALWAYS and not call.identity.may(Permission.RULES):
        forbid(call.site, call.identity, Permission.RULES, approval_id=approval_id)


def _group_result(
    call: Call, approval_id: str, problem: Problem | None, outcome: object
) -> wire.GroupResult:
    if isinstance(outcome, ApprovalError):
        _reject(call, approval_id, outcome)
        problem = problem_of(outcome)
    if problem is not None:
        told = {"status": problem.status, "detail": problem.detail, **problem.members}
        return wire.GroupResult(approval_id=approval_id, resolution=None, problem=told)
    return wire.GroupResult(
        approval_id=approval_id,
        resolution=resolution_document(outcome),  # type: ignore[arg-type]  # what is no error
        problem=None,
    )


def _reject(call: Call, approval_id: str, error: ApprovalError) -> None:
    record_rejection(
        call.site.sink,
        rejection_of(error),
        channel=call.identity.channel,
        reviewer=call.identity.name,
        approval_id=approval_id,
    )
