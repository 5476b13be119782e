"""`netproxy approvals deny ID`: say no, and what becomes of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_answer import add_common, perform
from netproxy.app.cli.approvals_command import parser

if TYPE_CHECKING:
    from netproxy.app.cli.gateways import Document

_DESCRIPTION = """\
Deny what was asked: once, or as long as a scope says. The command is stopped by that if its run was
told so (--on-denial), unless you say."""


def main(arguments: list[str]) -> int:
    """Answer, and say what came of it."""
    made = parser("deny", _DESCRIPTION)
    add_common(made)
    scopes = made.add_mutually_exclusive_group()
    for scope, meaning in (
        ("session", "until the session ends"),
        ("always", "for good: a rule is written into your policy"),
    ):
        scopes.add_argument(
            f"--{scope}", dest="scope", action="store_const", const=scope, help=meaning
        )
    ends = made.add_mutually_exclusive_group()
    ends.add_argument("--stop", dest="cancel", action="store_const", const=True, help="the command")
    ends.add_argument(
        "--continue", dest="cancel", action="store_const", const=False, help="let it go on"
    )
    options = made.parse_args(arguments)
    answer: Document = {"verdict": "deny", "scope": options.scope or "once"}
    if options.cancel is not None:
        answer["cancel"] = options.cancel
    return perform(options, answer)
