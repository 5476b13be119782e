"""`netproxy approvals token add|list|revoke`: tokens for the HTTP API on loopback TCP."""

from __future__ import annotations

import argparse
import os
import sys

from netproxy.app.cli.approvals_command import (
    Found,
    local_time,
    print_json,
    print_rows,
    select,
    short_ids,
)
from netproxy.app.cli.approvals_words import clock_time, moment, seconds_of
from netproxy.app.cli.gateways import ask_first
from netproxy.app.cli.printing import write
from netproxy.app.cli.usage import UsageParser

_DESCRIPTION = """\
Tokens let programs use the HTTP API (--inbox). Each has a name, which is the reviewer's on
record, permissions and an end. They are kept in the store, for all gateways that use it."""
_PERMISSIONS = ("read", "decide", "revoke", "rules")
_USUAL = "30d"


def main(arguments: list[str]) -> int:
    """Do one of them."""
    options = _parser().parse_args(arguments)
    status: int = options.perform(options)
    return status


def _parser() -> UsageParser:
    made = UsageParser(prog="netproxy approvals token", description=_DESCRIPTION)
    verbs = made.add_subparsers(required=True, metavar="add|list|revoke", parser_class=UsageParser)
    add = verbs.add_parser("add", help="make one; its secret is printed this once")
    add.add_argument("name", metavar="NAME", help="what the record calls the reviewer")
    add.add_argument(
        "--may",
        metavar="WHAT",
        type=_permissions,
        default="read",
        help="read, decide, revoke, rules, with commas between; default: read",
    )
    add.add_argument(
        "--for", dest="seconds", metavar="TIME", type=_seconds, default=_USUAL, help="default: 30d"
    )
    listing = verbs.add_parser("list", help="those that are good now")
    revoke = verbs.add_parser("revoke", help="end one, at once")
    revoke.add_argument("id", metavar="ID", help="its beginning or end is enough; or its name")
    for each, perform in ((add, _add), (listing, _list), (revoke, _revoke)):
        each.add_argument("--json", action="store_true", help="JSON instead of text")
        each.set_defaults(perform=perform)
    return made


def _add(options: argparse.Namespace) -> int:
    body = {"name": options.name, "permissions": options.may, "seconds": options.seconds}
    _, made = ask_first(os.environ, "POST", "/v1/tokens", body)
    if options.json:
        print_json(made)
        return 0
    until = clock_time(moment(made["expires_at"]), local_time())
    may = ", ".join(made["permissions"])
    sys.stderr.write(f"for {made['name']}: {may}, until {until}; it is not shown again\n")
    write(made["token"])
    return 0


def _list(options: argparse.Namespace) -> int:
    _, told_of = ask_first(os.environ, "GET", "/v1/tokens")
    found = told_of["tokens"]
    if options.json:
        for told in found:
            print_json(told)
        return 0
    if not found:
        write("no token is good now")
        return 0
    now = local_time()
    ids = short_ids([told["token_id"] for told in found])
    print_rows(
        ("ID", "NAME", "MAY", "UNTIL", "USED"),
        (
            (
                ids[told["token_id"]],
                told["name"],
                ",".join(told["permissions"]),
                clock_time(moment(told["expires_at"]), now),
                "never" if told["used_at"] is None else clock_time(moment(told["used_at"]), now),
            )
            for told in found
        ),
    )
    return 0


def _revoke(options: argparse.Namespace) -> int:
    gateway, told_of = ask_first(os.environ, "GET", "/v1/tokens")
    found = [Found(gateway, told) for told in told_of["tokens"]]
    named = [one for one in found if one.document["name"] == options.id]  # no two have the same
    chosen = named[0] if named else select(found, "token_id", options.id, "token")
    _, revoked = ask_first(os.environ, "DELETE", f"/v1/tokens/{chosen.document['token_id']}")
    if options.json:
        print_json(revoked)
    else:
        write(f"revoked: {revoked['name']}")
    return 0


def _permissions(text: str) -> list[str]:
    chosen = list(dict.fromkeys(text.split(",")))
    if not set(chosen) <= set(_PERMISSIONS):
        raise argparse.ArgumentTypeError(f"permissions are {', '.join(_PERMISSIONS)}")
    return chosen


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
