"""The options of `netproxy run` that say what the command sees and may use: a table and a value.

What they are worth beside a settings file is decided in `netproxy.app.sandbox_settings`.
"""

from __future__ import annotations

import argparse
import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproxy.app.cli.service_options import (
    SERVICE_DEFAULTS,
    SERVICE_FLAGS,
    ServiceOptions,
    service_options,
)
from netproxy.app.footing import working_directory
from netproxy.errors import InvalidSettings
from netproxy.policy.hosts import shown
from otel.values import dataclass, field
from sandbox.capture import Capture
from sandbox.errors import ProfileRefused
from sandbox.inheritance import RESERVED, Inherit, is_among
from sandbox.limits import KINDS, Limit, parse_limit
from sandbox.profile import check_entry, is_glob

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What the command line says of the fence, checked."""

    files: str | None = None
    write: tuple[Path, ...] = ()
    # Text is a glob.
    read: tuple[Path | str, ...] = ()
    hide: tuple[Path | str, ...] = ()
    workspace: tuple[Path, ...] = ()
    dry_run: bool = False
    services: ServiceOptions = field(default_factory=ServiceOptions)
    no_sandbox: bool = False
    limits: tuple[Limit, ...] = ()
    inherit: Inherit | None = None
    # In the order of the command line: (name, value), or (name, None) for the caller's own.
    environment: tuple[tuple[str, str | None], ...] = ()
    capture: Capture | None = None


def sandbox_options(given: argparse.Namespace) -> SandboxOptions:
    """Return what they said."""
    return SandboxOptions(
        inherit=None if given.inherit_env is None else Inherit(given.inherit_env),
        environment=tuple(given.env),
        files=given.files,
        write=tuple(given.write),
        read=tuple(chain.from_iterable(given.read)),
        hide=tuple(chain.from_iterable(given.hide)),
        workspace=tuple(given.workspace),
        dry_run=given.dry_run,
        services=service_options(given),
        no_sandbox=given.no_sandbox,
        limits=tuple(given.limit),
        capture=None if given.capture is None else Capture(given.capture),
    )


def read_path(text: str) -> Path:
    """Read a path, as an option's type."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a path")
    path = Path(text)
    try:
        return path if path.is_absolute() else working_directory() / path
    except InvalidSettings as gone:
        raise argparse.ArgumentTypeError(str(gone)) from None


def _limit(text: str) -> Limit:
    try:
        return parse_limit(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{shown(text)}: {wrong}") from None


def _variable(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not NAME or NAME=VALUE")
    if is_among(name, RESERVED):
        raise argparse.ArgumentTypeError(f"{shown(name)} is for netproxy to say")
    return name, value if equals else None


def _read_entry(key: str) -> Callable[[str], tuple[Path | str, ...]]:
    """Read a path or a glob; a path is meant from here, a glob in the workspace.

    Where something is called like the glob, both are meant: it can be named in no other way, and
    nobody shall end what a glob hides by making a file of its name.
    """

    def read(text: str) -> tuple[Path | str, ...]:
        try:
            check_entry(key, text if is_glob(text) else str(read_path(text)))
        except ProfileRefused as refused:
            raise argparse.ArgumentTypeError(f"{shown(text)}: {refused}") from None
        path = Path(os.path.normpath(read_path(text)))
        if not is_glob(text):
            return (path,)
        return (path, text) if os.path.lexists(path) else (text,)

    return read


# One row an option: flag, what argparse is told.
SANDBOX_FLAGS: dict[str, dict[str, Any]] = {
    "--files": {
        "metavar": "PROFILE",
        "help": "what of the disk may be read and written: workspace (default), read-only, "
        "network-only, or a profile of the settings file",
    },
    "--workspace": {
        "action": "append",
        "metavar": "PATH",
        "type": read_path,
        "help": "work here too, as in the folder that the run starts in (repeatable)",
    },
    "--write": {
        "action": "append",
        "metavar": "PATH",
        "type": read_path,
        "help": "let the command write here too (repeatable)",
    },
    "--env": {
        "action": "append",
        "metavar": "NAME[=VALUE]",
        "type": _variable,
        "help": "give the command this variable of yours although it is left out by default, or "
        "with this value (repeatable)",
    },
    "--inherit-env": {
        "choices": [str(kind) for kind in Inherit],
        "help": "which of your variables there are to choose from: all (default), core or none",
    },
    "--read": {
        "action": "append",
        "metavar": "PATH",
        "type": _read_entry("read"),
        "help": "let the command read this and not write it, in what it may write or what is "
        "hidden; a path, or a glob in the workspace (repeatable)",
    },
    "--hide": {
        "action": "append",
        "metavar": "PATH",
        "type": _read_entry("hide"),
        "help": "keep the command from seeing this: a path, or a glob in the workspace such as "
        "'**/*.env' (repeatable)",
    },
    **SERVICE_FLAGS,
    "--dry-run": {
        "action": "store_true",
        "help": "print what the command would see and may use, and start nothing",
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
    "--capture": {
        "choices": [str(choice) for choice in Capture],
        "help": "take connections of programs that know of no proxy, too (auto, the default), or"
        " don't (off), or nothing but those: without proxy variables (only)",
    },
}
# What those are without a word; argparse copies these lists before it appends.
SANDBOX_DEFAULTS: dict[str, list[Any]] = {
    "workspace": [],
    "write": [],
    "read": [],
    "hide": [],
    "env": [],
    "limit": [],
    **SERVICE_DEFAULTS,
}
