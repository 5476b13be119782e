"""What an operation of the API is, and how one is performed: who, may they, what, then do it.

The table of operations is mounted as routes, written into the OpenAPI document, and gone through by
tests, so none of the three can tell a different story.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from aiohttp import web
from pydantic import BaseModel, ValidationError

from approvals.errors import InvalidJson
from approvals.http.application import IDENTITY_NAME, body_of, refuse_other_sites
from approvals.http.problems import Problem
from approvals.http.rejections import record_rejection
from approvals.http.site import SITE
from approvals.model import Rejection
from approvals.strict_json import read_object
from otel import visible
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from approvals.http.identity import Identity, Permission
    from approvals.http.site import Site

_JSON = "application/json"
# A question takes 0.1 ms to be put into words.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the API, complete and checked."""

    site: Site
    identity: Identity
    path: Mapping[str, str]
    query: Any  # the operation's own model
    body: Any  # the operation's own model


class Perform(Protocol):
    """Does what an operation is for."""

    async def __call__(self, call: Call, /) -> BaseModel:
        """Raises `Problem` or an error of the approval service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the API. `path` holds at most one `{id}`."""

    name: str
    method: str
    path: str
    summary: str
    permission: Permission
    perform: Perform
    answer: type[BaseModel]
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()  # beside those that every operation has
    only_local: bool = False  # on the control socket, and nowhere else


def mount(app: web.Application, operations: Iterable[Operation], *, local: bool) -> None:
    """Add a route for each. `local`: the application is the control socket's."""
    for operation in operations:
        if local or not operation.only_local:
            app.router.add_route(operation.method, operation.path, _handler(operation))


async def identify(request: web.Request, permission: Permission) -> Identity:
    """Who sent this, if they may do it. Raises `Problem`."""
    refuse_other_sites(request)
    site = request.app[SITE]
    identity = await site.authenticate(request)
    request[IDENTITY_NAME] = f"{identity.name} ({identity.channel})"
    if not identity.may(permission):
        forbid(site, identity, permission, approval_id=request.match_info.get("id"))
    return identity


def forbid(
    site: Site, identity: Identity, permission: Permission, *, approval_id: str | None
) -> NoReturn:
    """Refuse what needs a permission that the caller does not have. Raises `Problem`."""
    known = approval_id if approval_id and approval_id.startswith("a-") else None
    record_rejection(
        site.sink,
        Rejection.FORBIDDEN,
        channel=identity.channel,
        reviewer=identity.name,
        approval_id=known,
    )
    what = f"this needs the permission {permission}"
    raise Problem(403, "forbidden", what, members={"permission": permission})


async def in_turns[Value, Document](
    convert: Callable[[Value], Document], values: Iterable[Value]
) -> list[Document]:
    """Convert many without holding up those who are relayed in the same loop."""
    made: list[Document] = []
    for number, value in enumerate(values, start=1):
        made.append(convert(value))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return made


def _handler(operation: Operation) -> Any:
    async def handle(request: web.Request) -> web.Response:
        identity = await identify(request, operation.permission)
        query = None if operation.query is None else _query(request, operation.query)
        body = None if operation.body is None else await _body(request, operation.body)
        call = Call(
            site=request.app[SITE],
            identity=identity,
            path=request.match_info,
            query=query,
            body=body,
        )
        answer = await operation.perform(call)
        text = answer.model_dump_json()
        return web.Response(text=text, status=operation.status, content_type=_JSON)

    return handle


def _query(request: web.Request, model: type[BaseModel]) -> BaseModel:
    given = request.query
    if len(set(given)) != len(given):
        raise Problem(422, "invalid", "a parameter is there twice", members={"errors": []})
    return _validated(lambda: model.model_validate(dict(given)))


async def _body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    """A form of another site can't send this type without being asked first (CORS)."""
    if request.content_type != _JSON or request.charset not in {None, "utf-8"}:
        raise Problem(415, "unsupported_media_type", f"the body is not {_JSON}")
    try:
        document = read_object(await body_of(request))
    except InvalidJson as error:
        raise Problem(400, "malformed", visible(str(error), limit=200)) from None
    return _validated(lambda: model.model_validate(document))


def _validated(validate: Any) -> BaseModel:
    try:
        model: BaseModel = validate()
    except ValidationError as error:
        errors = [
            {
                "field": visible(".".join(map(str, each["loc"])), limit=200),
                "detail": visible(each["msg"], limit=200),
            }
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = errors[0]
        what = f"{first['field']}: {first['detail']}"
        raise Problem(422, "invalid", what, members={"errors": errors}) from None
    return model
