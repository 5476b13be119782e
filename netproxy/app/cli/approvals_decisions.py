"""`netproxy approvals decisions`: the questions that are over, newest first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_command import WHERE, decisions, local_time, parser, print_found
from netproxy.app.cli.approvals_words import clock_time, moment

if TYPE_CHECKING:
    from netproxy.app.cli.gateways import Document

_DESCRIPTION = "List the questions that are over, newest first, and who ended them."
_MOST = 200


def main(arguments: list[str]) -> int:
    """Print them."""
    made = parser("decisions", _DESCRIPTION)
    made.add_argument("--limit", metavar="N", type=_limit, default=20, help="default: 20")
    options = made.parse_args(arguments)
    now = local_time()
    print_found(
        decisions(options.limit),
        as_json=options.json,
        nothing="no question is over yet",
        key="approval_id",
        cells={
            "ENDED": lambda told: clock_time(moment(told["ended_at"]), now),
            "STATE": lambda told: told["status"],
            WHERE: lambda told: told["request"]["destination"],
            "BY": _by,
            "COMMAND": lambda told: told["request"]["command"],
        },
    )
    return 0


def _by(told: Document) -> str:
    answer = told["answer"]
    return "" if answer is None else f"{answer['reviewer']} ({answer['channel']})"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= _MOST):  # noqa: PLR2004  # digits
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST}")
    return int(text)
