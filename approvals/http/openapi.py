"""The OpenAPI 3.1 document, written from the table of operations and their models.

What is there twice (a copy in docs/schema, the routes themselves) is compared by tests.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from approvals.http import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel

    from approvals.http.operations import Operation

_REF = "#/components/schemas/{model}"
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
# Any operation may be refused so: who, from where, by which name, how often.
_ALWAYS = (401, 403, 421, 429)
_WITH_BODY = (400, 408, 413, 415, 422)
_WITH_QUERY = (422,)

_ABOUT = (
    "Questions, grants and decisions of one gateway. On the control socket the caller is known by "
    "the kernel (SO_PEERCRED); on loopback TCP a token says who it is: "
    "`Authorization: Bearer npx_…`. Every error is a problem document (RFC 9457)."
)


def document_of(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document, as JSON's types."""
    every = tuple(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in every:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    paths["/v1/changes"] = {"get": _changes()}
    paths["/v1/openapi.json"] = {"get": _itself()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "netproxy approvals", "version": "1", "description": _ABOUT},
        "servers": [{"url": "http://127.0.0.1:8377"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(every),
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": _needs(operation),
        "responses": {
            str(operation.status): _response(operation.status, _ref(operation.answer)),
            **_problems(_refusals(operation)),
        },
    }
    parameters = [_ID] if "{id}" in operation.path else []
    if operation.query is not None:
        parameters = [*parameters, *_query(operation.query)]
    if parameters:
        said["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": _ref(operation.body)}}
        said["requestBody"] = {"required": True, "content": content}
    return said


def _needs(operation: Operation) -> str:
    where = " Offered on the control socket only." if operation.only_local else ""
    return f"Needs the permission `{operation.permission}`.{where}"


def _refusals(operation: Operation) -> Sequence[int]:
    codes = {*_ALWAYS, *operation.problems}
    if operation.body is not None:
        codes.update(_WITH_BODY)
    if operation.query is not None:
        codes.update(_WITH_QUERY)
    return sorted(codes)


def _changes() -> dict[str, Any]:
    schema = _ref(wire.Change)
    return {
        "operationId": "streamChanges",
        "summary": "What changes from now on, or behind `after`. Does not end by itself.",
        "description": (
            "Needs the permission `read`. Server-sent events where `Accept` names them, else a "
            "JSON line for each change; empty lines are signs of life."
        ),
        "parameters": [
            {
                "name": "after",
                "in": "query",
                "required": False,
                "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            },
        ],
        "responses": {
            "200": {
                "description": "OK",
                "content": {
                    "application/x-ndjson": {"schema": schema},
                    "text/event-stream": {"schema": {"type": "string"}},
                },
            },
            **_problems(sorted((*_ALWAYS, 422))),
        },
    }


def _itself() -> dict[str, Any]:
    return {
        "operationId": "getOpenapi",
        "summary": "This document.",
        "security": [],
        "responses": {"200": _response(200, {"type": "object"}), **_problems([421])},
    }


def _query(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    return [
        {"name": name, "in": "query", "required": False, "schema": each}
        for name, each in schema["properties"].items()
    ]


def _response(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": schema}},
    }


def _problems(codes: Iterable[int]) -> dict[str, Any]:
    schema = _ref(wire.ProblemDocument)
    return {
        str(code): {
            "description": HTTPStatus(code).phrase,
            "content": {"application/problem+json": {"schema": schema}},
        }
        for code in codes
    }


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    models: dict[type[BaseModel], None] = {wire.ProblemDocument: None, wire.Change: None}
    for operation in operations:
        models[operation.answer] = None
        if operation.body is not None:
            models[operation.body] = None
    _, schema = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    return dict(sorted(found.items()))
