from __future__ import annotations

from typing import TYPE_CHECKING

from otel.telemetry_resource import resource

if TYPE_CHECKING:
    import pytest


def test_it_is_named_by_its_journal_and_by_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the environment says of a service may be said of the command."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "user.name=anna,service.name=other")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
    found = resource("w-1").attributes
    assert found["service.instance.id"] == "w-1"
    assert found["service.name"] == "netproxy"
    assert set(found) == {"host.name", "service.instance.id", "service.name", "service.version"}
