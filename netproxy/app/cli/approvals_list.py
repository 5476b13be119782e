"""`netproxy approvals list`: what waits for an answer, of all gateways that run here."""

from __future__ import annotations

from netproxy.app.cli.approvals_command import parser, pending, print_json, print_rows, short_ids
from netproxy.app.cli.approvals_words import left
from netproxy.app.cli.printing import write

_DESCRIPTION = """\
List the questions that wait for an answer, oldest first. An id may be shortened to its beginning or
its end wherever one is asked for."""


def main(arguments: list[str]) -> int:
    """Print them."""
    options = parser("list", _DESCRIPTION).parse_args(arguments)
    found = pending()
    if options.json:
        for one in found:
            print_json({**one.document, "gateway": one.gateway.name})
        return 0
    if not found:
        write("no question waits for an answer")
        return 0
    ids = short_ids([one.document["approval_id"] for one in found])
    print_rows(
        ("ID", "WAITS", "LEFT", "DESTINATION", "COMMAND"),
        (
            (
                ids[told["approval_id"]],
                str(told["waiting"]),
                left(told["seconds_left"]),
                told["request"]["destination"],
                told["request"]["command"],
            )
            for _, told in found
        ),
    )
    return 0
