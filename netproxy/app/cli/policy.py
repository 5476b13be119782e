"""`netproxy policy VERB`: what can be said about rules without running anything.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`.
"""

from __future__ import annotations

import importlib
import os
import sys

from netproxy.app.cli.usage import EXIT_USAGE, did_you_mean

VERBS = {
    "check": "say what is wrong with settings files, and what they say",
    "explain": "say what happens to a destination, and why",
    "test": "hold the policy against expected verdicts",
    "schema": "print the JSON Schema that editors check files against",
    "replay": "judge the journal's requests again, by today's policy",
    "suggest": "write the narrowest rules that cover what was approved",
    "import": "read the rules of codex, srt or smokescreen",
}
# What the shell reports for a program that Ctrl-C or a closed pipe ended: 128 + the signal.
_INTERRUPTED = 130
_PIPE_CLOSED = 141

_HELP = """usage: netproxy policy VERB [options]

{verbs}

netproxy policy VERB --help explains a verb."""


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        verbs = "\n".join(f"  {name:<9} {summary}" for name, summary in VERBS.items())
        print_to = sys.stdout if arguments else sys.stderr
        print_to.write(_HELP.format(verbs=verbs) + "\n")
        return 0 if arguments else EXIT_USAGE
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        sys.stderr.write(
            f"netproxy policy: unknown verb {verb[:40]!a}{did_you_mean(verb, VERBS)}\n"
        )
        return EXIT_USAGE
    try:
        status: int = importlib.import_module(f"netproxy.app.cli.policy_{verb}").main(rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return _PIPE_CLOSED
    return status
