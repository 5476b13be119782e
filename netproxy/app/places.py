"""Where our files are: the XDG base directories as plain functions of an environment and a home.

Nothing here looks at the disk or the process; a relative path in a variable is ignored, as the
XDG specification demands.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS = "netproxy"


def state_home(environ: Mapping[str, str], home: Path) -> Path:
    """What has to survive a restart and belongs to this machine: the journal."""
    return (_named(environ, "XDG_STATE_HOME") or home / ".local" / "state") / _OURS


def config_home(environ: Mapping[str, str], home: Path) -> Path:
    """What the user wrote."""
    return (_named(environ, "XDG_CONFIG_HOME") or home / ".config") / _OURS


def runtime_dir(environ: Mapping[str, str]) -> Path | None:
    """Sockets that end with the login session; None where the session has no such directory."""
    named = _named(environ, "XDG_RUNTIME_DIR")
    return named / _OURS if named else None


def audit_directory(environ: Mapping[str, str], home: Path) -> Path:
    """The journal, unless `--audit-dir` says otherwise."""
    return state_home(environ, home) / "audit"


def _named(environ: Mapping[str, str], variable: str) -> Path | None:
    path = Path(environ.get(variable, ""))
    return path if path.is_absolute() else None
