"""`netproxy audit VERB`: read the audit journal, and check that it holds.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`; what
they share is in `audit_command`. Status 0 when all is well, 1 when a chain is broken or a line
can't be read, 66 (EX_NOINPUT) when there is no journal, 64 for bad usage.
"""

from __future__ import annotations

import importlib
import os
import sys

from netproxy.app.cli.usage import EXIT_USAGE, did_you_mean
from otel import JournalBroken, visible

VERBS = {
    "tail": "the last records, and with --follow those to come",
    "query": "the records that match",
    "stats": "what was asked, allowed and denied, in figures",
    "report": "the same as one HTML page, with plots and the verdicts",
    "export": "the records that match, as OCSF or OTLP/JSON",
    "verify": "whether every chain of records holds, and is all there",
    "anchor": "where every chain has come to, to be kept elsewhere",
    "prune": "remove finished files that settings allow to go",
    "schema": "the JSON Schema of the records",
}
EXIT_NO_JOURNAL = os.EX_NOINPUT  # 66

# What the shell reports for a program that Ctrl-C or a closed pipe ended: 128 + the signal.
_INTERRUPTED = 130
_PIPE_CLOSED = 141

_HELP = """usage: netproxy audit VERB [--audit-dir DIR] [options]

{verbs}

netproxy audit VERB --help explains a verb."""


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        verbs = "\n".join(f"  {name:<8} {summary}" for name, summary in VERBS.items())
        print_to = sys.stdout if arguments else sys.stderr
        print_to.write(_HELP.format(verbs=verbs) + "\n")
        return 0 if arguments else EXIT_USAGE
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        word = visible(verb, limit=40)
        sys.stderr.write(f"netproxy audit: unknown verb '{word}'{did_you_mean(verb, VERBS)}\n")
        return EXIT_USAGE
    try:
        status: int = importlib.import_module(f"netproxy.app.cli.audit_{verb}").main(rest)
        sys.stdout.flush()
    except JournalBroken as error:
        sys.stderr.write(f"netproxy: {visible(str(error))}\n")
        return EXIT_NO_JOURNAL
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return _PIPE_CLOSED
    return status
