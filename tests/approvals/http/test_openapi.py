"""The document tells what is there: every route, every status, every field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from approvals.http.api import OPERATIONS, add_api
from approvals.http.application import make_application
from approvals.http.identity import Permission
from approvals.http.openapi import document_of
from tests.architecture.sources import ROOT
from tests.support.http_site import site

DOCUMENT = document_of(OPERATIONS)
COPY = ROOT / "docs" / "schema" / "approvals-api.json"


def each_ref(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for each in value.values() for ref in each_ref(each)]
    return [ref for each in value for ref in each_ref(each)] if isinstance(value, list) else []


def test_the_copy_in_the_repository_is_this_one() -> None:
    """Made by `netproxy approvals openapi > docs/schema/approvals-api.json`."""
    assert json.loads(COPY.read_text()) == json.loads(json.dumps(DOCUMENT))


def test_every_route_is_in_it_and_nothing_else() -> None:
    app = make_application(site()[0])
    add_api(app, local=True)
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }
    told = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert told == routes


def test_every_name_in_it_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    names = {ref.removeprefix("#/components/schemas/") for ref in each_ref(DOCUMENT)}
    assert names <= schemas.keys()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_each_operation_says_what_it_needs_and_what_goes_wrong(operation: Any) -> None:
    told = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert f"`{operation.permission}`" in told["description"]
    assert {"401", "403", "421", "429", str(operation.status)} <= told["responses"].keys()
    assert ("requestBody" in told) is (operation.body is not None)


def test_operations_have_one_name_each_and_permissions_are_all_used() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert sorted(set(names)) == sorted(names)
    needed = {operation.permission for operation in OPERATIONS}
    assert needed | {Permission.RULES} == set(Permission)
