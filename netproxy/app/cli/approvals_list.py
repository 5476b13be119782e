"""`netproxy approvals list`: what waits for an answer, of all gateways that run here."""

from __future__ import annotations

from netproxy.app.cli.approvals_command import WHERE, parser, pending, print_found
from netproxy.app.cli.approvals_words import left

_DESCRIPTION = """\
List the questions that wait for an answer, oldest first. An id may be shortened to its beginning or
its end wherever one is asked for."""


def main(arguments: list[str]) -> int:
    """Print them."""
    options = parser("list", _DESCRIPTION).parse_args(arguments)
    print_found(
        pending(),
        as_json=options.json,
        nothing="no question waits for an answer",
        key="approval_id",
        cells={
            "WAITS": lambda told: str(told["waiting"]),
            "LEFT": lambda told: left(told["seconds_left"]),
            WHERE: lambda told: told["request"]["destination"],
            "COMMAND": lambda told: told["request"]["command"],
        },
    )
    return 0
