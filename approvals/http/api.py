"""The API, v1, as a table. `add_api` mounts it; the OpenAPI document is written from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from approvals.http import holdings, logins, questions, token_operations, wire
from approvals.http.changes import stream_changes
from approvals.http.identity import Permission
from approvals.http.openapi import document_of
from approvals.http.operations import Operation, mount

if TYPE_CHECKING:
    from collections.abc import Iterable

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="listApprovals",
        method="GET",
        path="/v1/approvals",
        summary="The questions that stand, oldest first.",
        permission=Permission.READ,
        perform=questions.list_approvals,
        answer=wire.PendingList,
    ),
    Operation(
        name="getApproval",
        method="GET",
        path="/v1/approvals/{id}",
        summary="One question, standing or over, with what is known around it.",
        permission=Permission.READ,
        perform=questions.get_approval,
        answer=wire.Story,
        problems=(404, 503),
    ),
    Operation(
        name="answerApproval",
        method="POST",
        path="/v1/approvals/{id}/answers",
        summary="Answer one question. The first valid answer wins; 409 names the winner.",
        permission=Permission.DECIDE,
        perform=questions.answer_approval,
        answer=wire.Resolution,
        body=wire.AnswerBody,
        problems=(404, 409, 410, 503),
    ),
    Operation(
        name="answerGroup",
        method="POST",
        path="/v1/answers",
        summary="Answer several questions, each for itself.",
        permission=Permission.DECIDE,
        perform=questions.answer_group,
        answer=wire.GroupResults,
        body=wire.GroupBody,
    ),
    Operation(
        name="listDecisions",
        method="GET",
        path="/v1/decisions",
        summary="The questions that are over, newest first.",
        permission=Permission.READ,
        perform=questions.list_decisions,
        answer=wire.DecisionList,
        query=wire.PageQuery,
        problems=(503,),
    ),
    Operation(
        name="listGrants",
        method="GET",
        path="/v1/grants",
        summary="Every yes and no that holds now.",
        permission=Permission.READ,
        perform=holdings.list_grants,
        answer=wire.GrantList,
    ),
    Operation(
        name="deleteGrant",
        method="DELETE",
        path="/v1/grants/{id}",
        summary="Revoke a grant; the connections that it carries are closed.",
        permission=Permission.REVOKE,
        perform=holdings.revoke_grant,
        answer=wire.Grant,
        problems=(404, 503),
    ),
    Operation(
        name="revokeGrant",
        method="POST",
        path="/v1/grants/{id}/revocations",
        summary="Revoke a grant and say why.",
        permission=Permission.REVOKE,
        perform=holdings.revoke_grant,
        answer=wire.Grant,
        body=wire.RevocationBody,
        problems=(404, 503),
    ),
    Operation(
        name="listSessions",
        method="GET",
        path="/v1/sessions",
        summary="Who is served now.",
        permission=Permission.READ,
        perform=holdings.list_sessions,
        answer=wire.SessionList,
    ),
    Operation(
        name="getPolicy",
        method="GET",
        path="/v1/policy",
        summary="What decides before anybody is asked.",
        permission=Permission.READ,
        perform=holdings.get_policy,
        answer=wire.Policy,
    ),
    Operation(
        name="getHealth",
        method="GET",
        path="/v1/health",
        summary="How audit trail, store and reviewers are.",
        permission=Permission.READ,
        perform=holdings.get_health,
        answer=wire.Health,
    ),
    Operation(
        name="addToken",
        method="POST",
        path="/v1/tokens",
        summary="Make a token for the API. Its secret is told this once.",
        permission=Permission.RULES,
        perform=token_operations.add_token,
        answer=wire.NewToken,
        body=wire.TokenBody,
        problems=(409, 503),
        only_local=True,
    ),
    Operation(
        name="addLogin",
        method="POST",
        path="/v1/logins",
        summary="Make a link that signs one browser in at the web inbox, once and soon.",
        permission=Permission.DECIDE,
        perform=logins.add_login,
        answer=wire.LoginLink,
        problems=(503,),
        only_local=True,
    ),
    Operation(
        name="listTokens",
        method="GET",
        path="/v1/tokens",
        summary="The tokens that are good now.",
        permission=Permission.READ,
        perform=token_operations.list_tokens,
        answer=wire.TokenList,
        problems=(503,),
        only_local=True,
    ),
    Operation(
        name="revokeToken",
        method="DELETE",
        path="/v1/tokens/{id}",
        summary="Revoke a token, at once.",
        permission=Permission.REVOKE,
        perform=token_operations.revoke_token,
        answer=wire.Token,
        problems=(404, 503),
        only_local=True,
    ),
)


def add_api(
    app: web.Application, *, local: bool, operations: Iterable[Operation] = OPERATIONS
) -> None:
    """Mount the API. `local`: on the control socket, with what is offered there only."""
    mount(app, operations, local=local)
    app.router.add_route("GET", "/v1/changes", stream_changes)
    app.router.add_route("GET", "/v1/openapi.json", _openapi)


async def _openapi(_: web.Request) -> web.Response:
    """The document is public: it is in the repository, too."""
    return web.json_response(document_of(OPERATIONS))
