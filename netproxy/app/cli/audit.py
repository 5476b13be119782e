"""`netproxy audit VERB`: read the audit journal, and check that it holds.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`; what
they share is in `audit_command`. Status 0 when all is well, 1 when a chain is broken or a line
can't be read, 66 (EX_NOINPUT) when there is no journal, 78 (EX_CONFIG) when settings that have to
say where it is can't be used, 64 for bad usage.
"""

from __future__ import annotations

import os
import sys

from netproxy.app.cli.verbs import run_verb
from netproxy.errors import InvalidSettings
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
EXIT_CONFIG = os.EX_CONFIG  # 78


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    try:
        return run_verb("audit", VERBS, arguments, options="[--audit-dir DIR] [options]")
    except JournalBroken as error:
        sys.stderr.write(f"netproxy: {visible(str(error))}\n")
        return EXIT_NO_JOURNAL
    except InvalidSettings as invalid:
        sys.stderr.writelines(f"netproxy: {visible(problem)}\n" for problem in invalid.problems)
        return EXIT_CONFIG
