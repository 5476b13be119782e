"""`netproxy approvals login`: a link that signs one browser in at the web inbox, once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_command import local_time, parser, print_json
from netproxy.app.cli.approvals_words import clock_time, moment
from netproxy.app.cli.gateways import EXIT_NO_GATEWAY, CliFailed, Gone, Refused, gateways
from netproxy.app.cli.printing import write

if TYPE_CHECKING:
    from netproxy.app.cli.gateways import Document

_DESCRIPTION = """\
Print a link that signs one browser in at the web inbox, once, within five minutes, in your name.
The gateway has an inbox when it was started with --inbox."""


def main(arguments: list[str]) -> int:
    """Print it."""
    options = parser("login", _DESCRIPTION).parse_args(arguments)
    link = _link()
    if options.json:
        print_json(link)
    else:
        write(link["url"])
        until = clock_time(moment(link["expires_at"]), local_time())
        write(f"for one browser, once, until {until}")
    return 0


def _link() -> Document:
    """Of the first gateway that has pages. Raises `CliFailed`."""
    refused: CliFailed | None = None
    for gateway in gateways(os.environ):
        try:
            return {**gateway.ask("POST", "/v1/logins"), "gateway": gateway.name}
        except Gone:
            continue
        except Refused as problem:
            refused = problem
    raise refused or CliFailed("no gateway of yours runs here now", EXIT_NO_GATEWAY)
