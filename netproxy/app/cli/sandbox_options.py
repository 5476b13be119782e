"""The options of `netproxy run` that say what the command sees and may use: a table and a value.

What they are worth beside a settings file is decided in `netproxy.app.sandbox_settings`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netproxy.policy.hosts import shown
from sandbox.limits import KINDS, Limit, parse_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What the command line says of the fence, checked."""

    write: tuple[Path, ...] = ()
    no_sandbox: bool = False
    limits: tuple[Limit, ...] = ()


def sandbox_options(given: argparse.Namespace) -> SandboxOptions:
    """Return what they said."""
    return SandboxOptions(
        write=tuple(given.write), no_sandbox=given.no_sandbox, limits=tuple(given.limit)
    )


def read_path(text: str) -> Path:
    """Read a path, as an option's type."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a path")
    return Path(text).absolute()


def _limit(text: str) -> Limit:
    try:
        return parse_limit(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{shown(text)}: {wrong}") from None


# One row an option: flag, what argparse is told.
SANDBOX_FLAGS: dict[str, dict[str, Any]] = {
    "--write": {
        "action": "append",
        "metavar": "PATH",
        "type": read_path,
        "help": "let the command write here too (repeatable)",
    },
    "--no-sandbox": {
        "action": "store_true",
        "help": "proxy variables only: nothing stops a command that ignores them",
    },
    "--limit": {
        "action": "append",
        "metavar": "NAME=VALUE",
        "type": _limit,
        "help": f"let the command use so much and no more: {', '.join(KINDS)}; bytes may end in K,"
        " M, G or T (repeatable)",
    },
}
# What those are without a word; argparse copies these lists before it appends.
SANDBOX_DEFAULTS: dict[str, list[Any]] = {"write": [], "limit": []}
