"""`netproxy approvals openapi`: the OpenAPI 3.1 document of the HTTP API."""

from __future__ import annotations

import json
import sys

from netproxy.app.cli.usage import UsageParser

_DESCRIPTION = "Print the OpenAPI 3.1 document of the HTTP API; no gateway is asked for it."


def main(arguments: list[str]) -> int:
    """Print it."""
    UsageParser(prog="netproxy approvals openapi", description=_DESCRIPTION).parse_args(arguments)
    from approvals.http.api import OPERATIONS
    from approvals.http.openapi import document_of

    # ASCII: a terminal or a file that is not UTF-8 gets the same document.
    document = json.dumps(document_of(OPERATIONS), indent=2, sort_keys=True)
    sys.stdout.write(document + "\n")
    return 0
