"""The options of `netproxy run` that lead across the fence, one service each: a table and a value.

What they are worth beside a settings file is decided in `netproxy.app.service_settings`.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from netproxy.app.footing import GONE
from netproxy.errors import InvalidDestination, InvalidRule
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.policy.forwards import Expose, Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What the command line says of them, checked."""

    reach: tuple[Reach, ...] = ()
    expose: tuple[Expose, ...] = ()
    unix: tuple[str, ...] = ()


def service_options(given: argparse.Namespace) -> ServiceOptions:
    """Return what they said."""
    return ServiceOptions(
        reach=tuple(given.reach), expose=tuple(given.expose), unix=tuple(given.unix)
    )


def _reach(text: str) -> Reach:
    from netproxy.policy.forwards import parse_reach

    return _checked(parse_reach, text)


def _expose(text: str) -> Expose:
    from netproxy.policy.forwards import parse_expose

    return _checked(parse_expose, text)


def _unix(text: str) -> str:
    from netproxy.policy.forwards import parse_unix

    try:
        path = os.path.abspath(text)  # noqa: PTH100  # the text that is asked for
    except FileNotFoundError:
        raise argparse.ArgumentTypeError(GONE) from None
    return _checked(parse_unix, path)


def _checked[Value](parse: Callable[[str], Value], text: str) -> Value:
    try:
        return parse(text)
    except (InvalidRule, InvalidDestination) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# One row an option: flag, what argparse is told.
SERVICE_FLAGS: dict[str, dict[str, Any]] = {
    "--reach": {
        "action": "append",
        "metavar": "NAME=HOST:PORT",
        "type": _reach,
        "help": "let the command connect to this service, on the same port of its own 127.0.0.1"
        " (repeatable)",
    },
    "--expose": {
        "action": "append",
        "metavar": "PORT[:HOSTPORT]",
        "type": _expose,
        "help": "lead from this port of this host's 127.0.0.1 to the command's port, for programs"
        " of yours only (repeatable)",
    },
    "--unix": {
        "action": "append",
        "metavar": "PATH",
        "type": _unix,
        "help": "let the command connect to this unix socket of this host, at the same path"
        " (repeatable)",
    },
}
# What those are without a word; argparse copies these lists before it appends.
SERVICE_DEFAULTS: dict[str, list[Any]] = {"reach": [], "expose": [], "unix": []}
