"""`netproxy approvals VERB`: see and answer questions of the gateways that run here, as their user.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`; what
they share is in `approvals_command`. Status 0 when done, 64 for bad usage, 65 when an answer came
too late or to something that has changed, 66 when there is no such approval or grant, 69 when no
gateway runs, 75 when its store can't be used now, 77 when it refuses, 78 for a user without a home.
"""

from __future__ import annotations

import sys

from netproxy.app.cli.verbs import run_verb

VERBS = {
    "list": "the questions that wait for an answer",
    "show": "one question with what is known around it",
    "approve": "say yes to one, or to a group",
    "deny": "say no to one, or to a group",
    "grants": "what was allowed and denied, and still holds",
    "revoke": "take a grant back; its connections are closed",
    "watch": "put questions here as they come; a key answers",
    "decisions": "the questions that are over",
    "sessions": "who is served now",
    "login": "a link that signs a browser in at the web inbox",
    "token": "make, list and revoke tokens for the HTTP API",
    "openapi": "the OpenAPI document of the HTTP API",
}


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    from netproxy.app.cli.gateways import CliFailed

    try:
        return run_verb("approvals", VERBS, arguments)
    except CliFailed as failed:
        sys.stderr.write(f"netproxy approvals {arguments[0]}: {failed}\n")
        return failed.status
