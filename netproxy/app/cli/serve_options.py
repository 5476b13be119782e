"""The options of `netproxy serve`, as a value. What it has in common with `run`: `run_options`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from netproxy.app.cli.run_options import (
    add_gateway_options,
    gateway_options,
    gateway_problem,
    read_seconds,
)
from netproxy.app.cli.sandbox_options import read_path
from netproxy.app.cli.usage import UsageParser
from netproxy.app.listening import ListenAddress, parse_listen, twice
from netproxy.config import Limits
from netproxy.errors import InvalidDestination
from otel.log_settings import LogFormat, LogLevel
from otel.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.app.cli.run_options import RunOptions

BEYOND = "--dangerously-listen-beyond-this-host"

_DESCRIPTION = """\
Serve clients that are in no sandbox of ours, by the same rules, on the same record, until SIGTERM.

Nothing makes a program use this gateway: what it enforces holds for those that are sent here.
ADDRESS is an IP address and a port, 127.0.0.1:3128 or [::1]:3128. PROFILE@ before it names the
profile that holds for clients of that listener, who are a session of their own."""

_EPILOG = """\
SIGTERM and SIGINT: stop accepting, finish, cut what is left after --drain; a second one cuts at
once. SIGHUP: read the settings again. Exit status: 0 when it was stopped, 125 when netproxy
failed, 78 for bad settings, 64 for bad usage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says, checked."""

    gateway: RunOptions
    listen: tuple[ListenAddress, ...]  # HTTP; SOCKS5, too, unless that has a listener of its own
    socks: tuple[ListenAddress, ...]
    health: ListenAddress | None
    metrics: ListenAddress | None
    token_file: Path | None
    drain_seconds: float
    log_format: LogFormat | None
    log_level: LogLevel | None


def parse_serve(arguments: list[str]) -> ServeOptions:
    """Read the words after `serve`. Leaves with one line and 64 when they can't be used."""
    parser = _parser()
    given = parser.parse_args(arguments)
    options = ServeOptions(
        gateway=gateway_options(given),
        listen=tuple(given.listen),
        socks=tuple(given.socks),
        health=given.health,
        metrics=given.metrics,
        token_file=given.token_file,
        drain_seconds=given.drain,
        log_format=given.log_format and LogFormat(given.log_format),
        log_level=given.log_level and LogLevel(given.log_level),
    )
    problem = _problem(options, lets_others_in=given.beyond) or gateway_problem(given)
    if problem is not None:
        parser.error(problem)
    return options


def _problem(options: ServeOptions, *, lets_others_in: bool) -> str | None:
    """What does not go together, in the order in which somebody would notice."""
    proxies = (*options.listen, *options.socks)
    pages = {"--health": options.health, "--metrics": options.metrics}
    addresses = (*proxies, *filter(None, pages.values()))
    if not proxies:
        return "nothing to listen on: --listen 127.0.0.1:3128"
    if (double := twice(addresses)) is not None:
        return f"{double} is there twice"
    if options.token_file is not None and any(each.profile for each in proxies):
        return "with --token-file the file says which profile a token has, not PROFILE@"
    for flag, page in pages.items():
        if page is not None and page.profile is not None:
            return f"{flag} has no profile"
    return _exposure(options, addresses, lets_others_in=lets_others_in)


def _exposure(
    options: ServeOptions, addresses: tuple[ListenAddress, ...], *, lets_others_in: bool
) -> str | None:
    """Other hosts are let in by two words: that it is meant, and who may."""
    beyond = next((address for address in addresses if not address.is_loopback), None)
    if beyond is None:
        return None
    if not lets_others_in:
        return f"{beyond} is open to other hosts: {BEYOND} if that is meant"
    if options.token_file is None:
        return f"{beyond} is open to other hosts, so it takes a --token-file"
    return None


def _address(text: str) -> ListenAddress:
    try:
        return parse_listen(text)
    except InvalidDestination as invalid:
        raise argparse.ArgumentTypeError(str(invalid)) from None


def _parser() -> UsageParser:
    parser = UsageParser(
        prog="netproxy serve",
        usage="netproxy serve --listen ADDRESS [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--listen", action="append", default=[], type=_address, metavar="[PROFILE@]ADDRESS",
        help="serve HTTP and SOCKS5 here; HTTP only if there is --socks (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--socks", action="append", default=[], type=_address, metavar="[PROFILE@]ADDRESS",
        help="serve SOCKS5 here (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--health", type=_address, metavar="ADDRESS",
        help="answer GET /health here: 200 while serving, 503 while draining",
    )  # fmt: skip
    parser.add_argument(
        "--metrics", type=_address, metavar="ADDRESS",
        help="answer GET /metrics here, for Prometheus",
    )  # fmt: skip
    parser.add_argument(
        "--token-file", type=read_path, metavar="FILE",
        help="serve only who shows one of these tokens; each is a session of its own. A line is"
        " NAME[@PROFILE]:TOKEN or NAME[@PROFILE]:sha256:HEX",
    )  # fmt: skip
    parser.add_argument(
        "--drain", type=read_seconds, metavar="SECONDS", default=Limits().drain_seconds,
        help="how long running requests and tunnels may take to finish (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--log-format", choices=[str(each) for each in LogFormat],
        help="how to say what happens, on stderr: lines for people, or JSON (default: console)",
    )  # fmt: skip
    parser.add_argument(
        "--log-level", choices=[str(each) for each in LogLevel],
        help="the least that is said (default: info); the audit record is another thing",
    )  # fmt: skip
    parser.add_argument(
        BEYOND, action="store_true", dest="beyond",
        help="let other hosts in: needs --token-file, and tokens cross the network as they are",
    )  # fmt: skip
    add_gateway_options(parser)
    return parser
