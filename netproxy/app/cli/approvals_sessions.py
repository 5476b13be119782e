"""`netproxy approvals sessions`: who is served now, by all gateways that run here."""

from __future__ import annotations

import os

from netproxy.app.cli.approvals_command import parser, print_json, print_rows
from netproxy.app.cli.gateways import ask_all
from netproxy.app.cli.printing import write

_DESCRIPTION = "List the runs and sessions that the gateways serve now."


def main(arguments: list[str]) -> int:
    """Print them."""
    options = parser("sessions", _DESCRIPTION).parse_args(arguments)
    answers = ask_all(os.environ, "/v1/sessions")
    found = [(gateway.name, each) for gateway, told in answers for each in told["sessions"]]
    if options.json:
        for gateway, told in found:
            print_json({**told, "gateway": gateway})
        return 0
    if not found:
        write("nobody is served now")
        return 0
    print_rows(
        ("SESSION", "NAME", "RUN", "PROFILE", "COMMAND"),
        (
            (
                told["session"],
                told["name"] or "",
                told["run"],
                told["profile"] or "",
                told["command"],
            )
            for _, told in found
        ),
    )
    return 0
