"""`netproxy approvals VERB`: see and answer questions of the gateways that run here, as their user.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`; what
they share is in `approvals_command`. Status 0 when done, 64 for bad usage, 65 when an answer came
too late or to something that has changed, 66 when there is no such approval or grant, 69 when no
gateway runs, 75 when its store can't be used now, 77 when it refuses.
"""

from __future__ import annotations

import importlib
import os
import sys

from netproxy.app.cli.usage import EXIT_USAGE, did_you_mean
from otel import visible

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

# What the shell reports for a program that Ctrl-C or a closed pipe ended: 128 + the signal.
_INTERRUPTED = 130
_PIPE_CLOSED = 141

_HELP = """usage: netproxy approvals VERB [options]

{verbs}

netproxy approvals VERB --help explains a verb."""


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        verbs = "\n".join(f"  {name:<10} {summary}" for name, summary in VERBS.items())
        print_to = sys.stdout if arguments else sys.stderr
        print_to.write(_HELP.format(verbs=verbs) + "\n")
        return 0 if arguments else EXIT_USAGE
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        word = visible(verb, limit=40)
        sys.stderr.write(f"netproxy approvals: unknown verb '{word}'{did_you_mean(verb, VERBS)}\n")
        return EXIT_USAGE
    from netproxy.app.cli.gateways import CliFailed

    try:
        status: int = importlib.import_module(f"netproxy.app.cli.approvals_{verb}").main(rest)
        sys.stdout.flush()
    except CliFailed as failed:
        sys.stderr.write(f"netproxy approvals {verb}: {failed}\n")
        return failed.status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return _PIPE_CLOSED
    return status
