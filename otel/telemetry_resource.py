"""Who sends metrics and spans: the same service instance as in exported audit records."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.sdk.resources import Resource

from otel import attributes as a


def resource(writer: str) -> Resource:
    """Name this gateway by its journal. Nothing of the environment or of the process goes in."""
    return Resource(
        {
            "host.name": socket.gethostname(),
            "service.instance.id": writer,
            "service.name": "netproxy",
            a.SERVICE_VERSION: _release(),
        }
    )


def _release() -> str:
    try:
        return version("netproxy")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"
