"""`netproxy approvals approve ID`: say yes, no further than need be."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_answer import add_common, perform
from netproxy.app.cli.approvals_command import parser
from netproxy.app.cli.approvals_words import bytes_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.app.cli.gateways import Document

_DESCRIPTION = """\
Allow what was asked. Without a scope: once, for the requests that wait now. The other scopes are
remembered, and may be limited and revoked (netproxy approvals grants, revoke)."""


def main(arguments: list[str]) -> int:
    """Answer, and say what came of it."""
    made = parser("approve", _DESCRIPTION)
    add_common(made)
    scopes = made.add_mutually_exclusive_group()
    for scope, meaning in (
        ("once", "the requests that wait now (the default)"),
        ("run", "until the command that asked ends"),
        ("session", "until the session ends"),
        ("always", "for good: a rule is written into your policy"),
    ):
        scopes.add_argument(
            f"--{scope}", dest="scope", action="store_const", const=scope, help=meaning
        )
    scopes.add_argument(
        "--for", dest="seconds", metavar="TIME", type=_read(seconds_of), help="90s, 30m, 1h, 2d"
    )
    made.add_argument(
        "--connections", metavar="N", type=_read(_whole), help="end it after so many connections"
    )
    made.add_argument(
        "--bytes", metavar="N", type=_read(bytes_of), help="end it after so much data: 500k, 20M"
    )
    options = made.parse_args(arguments)
    answer: Document = {"verdict": "allow", "scope": options.scope or "once"}
    if options.seconds is not None:
        answer |= {"scope": "time", "seconds": options.seconds}
    budget = {"connections": options.connections, "bytes": options.bytes}
    if any(limit is not None for limit in budget.values()):
        if answer["scope"] in {"once", "always"}:
            made.error("--connections and --bytes limit --run, --for and --session")
        answer["budget"] = budget
    return perform(options, answer)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) and len(text) < 10):  # noqa: PLR2004  # below a billion
        raise ValueError(f"'{text}' is not a number of connections")
    return int(text)


def _read[Value](parse: Callable[[str], Value]) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
