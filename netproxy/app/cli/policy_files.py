"""The files that `netproxy policy` is pointed at: what kind each is, and its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.errors import InvalidSettings
from netproxy.policy.reading import FILE_LIMIT, decoded

if TYPE_CHECKING:
    from pathlib import Path

# The names that these files have where they are looked for; any other is a user's file.
_KINDS = {"netproxy.toml": "project", "requirements.toml": "requirements", "cases.toml": "cases"}


def kind_of(path: Path) -> str:
    """Tell what a file is from what it is called."""
    return _KINDS.get(path.name, "config")


def text_of(path: Path) -> str:
    """Read a file. Raises `InvalidSettings`."""
    try:
        with path.open("rb") as file:
            # One byte more than may be: what has no end is refused, too.
            content = file.read(FILE_LIMIT + 1)
    except FileNotFoundError:
        raise InvalidSettings((f"{path}: there is no such file",)) from None
    except (OSError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidSettings((f"{path}: can't be read: {cause.lower()}",)) from None
    return decoded(content, str(path))
