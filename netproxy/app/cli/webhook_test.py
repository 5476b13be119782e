"""`netproxy webhook test NAME`: one ping to an endpoint, and what to do if it doesn't arrive.

Sent exactly as questions are: the same resolver, addresses, TLS and signature. Status 0 when it
arrived, 1 when not, 78 (EX_CONFIG) for settings that can't be used, 64 for bad usage.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from approvals.config import WebhookSettings
from approvals.model import Scope
from approvals.webhook import payloads
from approvals.webhook.signing import signed_headers
from approvals.webhook.transport import Problem, Transport
from netproxy.app.cli.printing import write
from netproxy.app.cli.run_options import RunOptions
from netproxy.app.cli.usage import UsageParser, did_you_mean
from netproxy.app.home import home_of
from netproxy.app.reviewer_settings import secret_keys, url_problem
from netproxy.app.settings import load_settings
from netproxy.app.webhooks import network_of
from netproxy.errors import InvalidRule, InvalidSettings
from netproxy.policy.addresses import parse_private_block
from otel import new_id, visible

if TYPE_CHECKING:
    import argparse

    from approvals.webhook.transport import Attempt
    from netproxy.app.settings import Settings

_EXIT_FAILED = 1
_DESCRIPTION = """\
Send endpoint.ping to an endpoint of your settings, or to any URL, as a question would be sent, and
say in a line what came of it."""

_HINTS = {
    Problem.DNS: "check the host in its url; names pinned in [resolver] count here, too",
    Problem.REFUSED_ADDRESS: "if it is meant to be there, name that block in its allow_private",
    Problem.NOT_ENCRYPTED: "give it a certificate, or an address such as http://127.0.0.1:8000/",
    Problem.CONNECT: "nothing listens there, or a firewall is between",
    Problem.TLS: "its certificate has to be good for that host now; SSL_CERT_FILE names roots",
    Problem.TIMEOUT: "it should answer 2xx at once and work later, or needs timeout_seconds",
    Problem.REDIRECT: "put the address where it really is into its url",
    Problem.GONE: "410 says: never again. A gateway stops sending there until it is restarted",
    Problem.BROKEN: "what listens there does not speak HTTP",
}
_SIGNATURE = (
    "the receiver needs the line of its secret_file, the body as it came, and a clock within 5 min"
)
_STATUS_HINTS = {
    400: _SIGNATURE,
    401: _SIGNATURE,
    403: _SIGNATURE,
    404: "nothing is at that path",
    405: "that path takes no POST",
}
_OWN_TROUBLE = "the receiver has trouble of its own: look at its log"


def main(arguments: list[str]) -> int:
    """Try it. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.name is None) is (given.url is None):
        parser.error("name an endpoint of your settings, or give --url and --secret-file")
    if (given.url is None) is not (given.secret_file is None):
        parser.error("--url and --secret-file go together")
    try:
        settings = load_settings(RunOptions(config=given.config), os.environ)
        endpoint = _chosen(given, settings, parser)
    except InvalidSettings as invalid:
        sys.stderr.writelines(f"netproxy webhook: {visible(each)}\n" for each in invalid.problems)
        return os.EX_CONFIG
    attempt = asyncio.run(_ping(endpoint, settings))
    _print(endpoint, attempt, as_json=given.json)
    return 0 if attempt.problem is None else _EXIT_FAILED


def _parser() -> UsageParser:
    parser = UsageParser(
        prog="netproxy webhook test",
        usage="netproxy webhook test [options] NAME | --url URL --secret-file FILE",
        description=_DESCRIPTION,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of [[approvals.webhook]]")
    parser.add_argument("--url", metavar="URL", help="an endpoint that is in no settings yet")
    parser.add_argument(
        "--secret-file", type=Path, metavar="FILE", help="its secret, in the settings' folder"
    )
    parser.add_argument(
        "--allow-private", action="append", default=[], metavar="BLOCK",
        help="with --url: a block that it may be in, such as 127.0.0.0/8",
    )  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="FILE", help="in place of the user's own")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def _chosen(given: argparse.Namespace, settings: Settings, parser: UsageParser) -> WebhookSettings:
    if given.url is not None:
        return _given(given)
    known = {each.name: each for each in settings.approvals.webhooks}
    if given.name not in known:
        listed = f" ({', '.join(known)})" if known else ": there are none"
        near = did_you_mean(given.name, known)
        parser.error(f"{given.name[:64]!a} is not among the endpoints{listed}{near}")
    return known[given.name]


def _given(given: argparse.Namespace) -> WebhookSettings:
    try:
        blocks = tuple(str(parse_private_block(each)) for each in given.allow_private)
    except InvalidRule as invalid:
        raise InvalidSettings((f"--allow-private: {invalid}",)) from None
    if problem := url_problem(given.url, may_be_plain=bool(blocks)):
        raise InvalidSettings((f"--url: it {problem}",))
    return WebhookSettings(
        name="--url",
        url=given.url,
        secrets=secret_keys(
            "--secret-file", given.secret_file, os.environ, home=home_of(os.environ)
        ),
        reply_secrets=(),
        allow_private=blocks,
        may_assert=(),
        widest_scope=Scope.ONCE,
    )


async def _ping(endpoint: WebhookSettings, settings: Settings) -> Attempt:
    now = time.time()
    body = payloads.ping(now).encode()
    headers = signed_headers(new_id("w"), int(now), body, endpoint.secrets)
    return await Transport(network_of(settings)).post(endpoint, headers, body)


def _print(endpoint: WebhookSettings, attempt: Attempt, *, as_json: bool) -> None:
    # The path of a URL may be a secret of its own.
    parts = urlsplit(endpoint.url)
    origin, hint = f"{parts.scheme}://{parts.netloc}", _hint(attempt)
    if as_json:
        found = {
            "endpoint": endpoint.name,
            "origin": origin,
            "delivered": attempt.problem is None,
            "problem": attempt.problem,
            "status": attempt.status,
            "explanation": attempt.explanation,
            "hint": hint,
            "milliseconds": round(attempt.seconds * 1000),
            "answer": attempt.answer,
        }
        write(json.dumps(found, sort_keys=True))
        return
    took = f"{attempt.seconds * 1000:.0f} ms"
    if attempt.problem is None:
        write(f"{endpoint.name}: delivered to {origin} in {took} ({attempt.status})")
        return
    write(f"{endpoint.name}: not delivered to {origin}: {attempt.explanation} ({took})")
    if attempt.answer:
        write(f"  it answered: {attempt.answer}")
    if hint:
        write(f"  {hint}")


def _hint(attempt: Attempt) -> str | None:
    if attempt.problem is None:
        return None
    if attempt.problem is Problem.STATUS:
        return _STATUS_HINTS.get(attempt.status or 0, _OWN_TROUBLE)
    return _HINTS[attempt.problem]
