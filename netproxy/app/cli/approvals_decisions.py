"""`netproxy approvals decisions`: the questions that are over, newest first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_command import (
    decisions,
    local_time,
    parser,
    print_json,
    print_rows,
    short_ids,
)
from netproxy.app.cli.approvals_words import clock_time, moment
from netproxy.app.cli.printing import write

if TYPE_CHECKING:
    from netproxy.app.cli.gateways import Document

_DESCRIPTION = "List the questions that are over, newest first, and who ended them."
_MOST = 200


def main(arguments: list[str]) -> int:
    """Print them."""
    made = parser("decisions", _DESCRIPTION)
    made.add_argument("--limit", metavar="N", type=_limit, default=20, help="default: 20")
    options = made.parse_args(arguments)
    found = decisions(options.limit)
    if options.json:
        for one in found:
            print_json({**one.document, "gateway": one.gateway.name})
        return 0
    if not found:
        write("no question is over yet")
        return 0
    now = local_time()
    ids = short_ids([one.document["approval_id"] for one in found])
    print_rows(
        ("ID", "ENDED", "STATE", "DESTINATION", "BY", "COMMAND"),
        (
            (
                ids[told["approval_id"]],
                clock_time(moment(told["ended_at"]), now),
                told["status"],
                told["request"]["destination"],
                _by(told),
                told["request"]["command"],
            )
            for _, told in found
        ),
    )
    return 0


def _by(told: Document) -> str:
    answer = told["answer"]
    return "" if answer is None else f"{answer['reviewer']} ({answer['channel']})"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= _MOST):  # noqa: PLR2004  # digits
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST}")
    return int(text)
