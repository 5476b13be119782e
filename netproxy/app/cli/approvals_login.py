"""`netproxy approvals login`: a link that signs one browser in at the web inbox, once."""

from __future__ import annotations

import os

from netproxy.app.cli.approvals_command import local_time, parser, print_json
from netproxy.app.cli.approvals_words import clock_time, moment
from netproxy.app.cli.gateways import ask_first
from netproxy.app.cli.printing import write

_DESCRIPTION = """\
Print a link that signs one browser in at the web inbox, once, within five minutes, in your name.
The gateway has an inbox when it was started with --inbox."""


def main(arguments: list[str]) -> int:
    """Print it."""
    options = parser("login", _DESCRIPTION).parse_args(arguments)
    gateway, made = ask_first(os.environ, "POST", "/v1/logins")
    link = {**made, "gateway": gateway.name}
    if options.json:
        print_json(link)
    else:
        write(link["url"])
        until = clock_time(moment(link["expires_at"]), local_time())
        write(f"for one browser, once, until {until}")
    return 0
