"""`netproxy webhook VERB`: make a secret, try an endpoint.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`.
"""

from __future__ import annotations

import importlib
import sys

from netproxy.app.cli.usage import EXIT_USAGE, did_you_mean

VERBS = {
    "test": "send a ping to an endpoint, and say what came of it",
    "secret": "make a new secret, in a file of its own",
}

_HELP = """usage: netproxy webhook VERB [options]

{verbs}

netproxy webhook VERB --help explains a verb."""


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        verbs = "\n".join(f"  {name:<8} {summary}" for name, summary in VERBS.items())
        print_to = sys.stdout if arguments else sys.stderr
        print_to.write(_HELP.format(verbs=verbs) + "\n")
        return 0 if arguments else EXIT_USAGE
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        found = did_you_mean(verb, VERBS)
        sys.stderr.write(f"netproxy webhook: unknown verb {verb[:40]!a}{found}\n")
        return EXIT_USAGE
    status: int = importlib.import_module(f"netproxy.app.cli.webhook_{verb}").main(rest)
    return status
