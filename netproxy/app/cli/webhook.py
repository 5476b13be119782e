"""`netproxy webhook VERB`: make a secret, try an endpoint.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`.
"""

from __future__ import annotations

from netproxy.app.cli.verbs import run_verb

VERBS = {
    "test": "send a ping to an endpoint, and say what came of it",
    "secret": "make a new secret, in a file of its own",
}


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    return run_verb("webhook", VERBS, arguments)
