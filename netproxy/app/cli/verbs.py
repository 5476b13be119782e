"""Verbs below a verb: `netproxy audit VERB`, `policy`, `approvals`, `webhook`.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from netproxy.app.cli.usage import EXIT_USAGE, did_you_mean
from netproxy.app.standard_streams import EXIT_PIPE_CLOSED
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Mapping


def run_verb(
    group: str, verbs: Mapping[str, str], arguments: list[str], *, options: str = "[options]"
) -> int:
    """Run `netproxy.app.cli.<group>_<verb>`, or say which there are. Returns the exit status.

    `verbs` are what may follow, each with its summary. What the verb raises beyond a closed pipe
    is the caller's.
    """
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        stream = sys.stdout if arguments else sys.stderr
        stream.write(_help(group, verbs, options))
        return 0 if arguments else EXIT_USAGE
    verb, rest = arguments[0], arguments[1:]
    if verb not in verbs:
        word = visible(verb, limit=40)
        sys.stderr.write(f"netproxy {group}: unknown verb '{word}'{did_you_mean(verb, verbs)}\n")
        return EXIT_USAGE
    try:
        status: int = importlib.import_module(f"netproxy.app.cli.{group}_{verb}").main(rest)
    except BrokenPipeError:  # of a verb that writes to the descriptor itself
        return EXIT_PIPE_CLOSED
    return status


def _help(group: str, verbs: Mapping[str, str], options: str) -> str:
    width = max(map(len, verbs)) + 2
    listed = "\n".join(f"  {name:<{width}}{summary}" for name, summary in verbs.items())
    usage = f"usage: netproxy {group} VERB {options}"
    return f"{usage}\n\n{listed}\n\nnetproxy {group} VERB --help explains a verb.\n"
