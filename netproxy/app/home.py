"""Which folder is this user's home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


def home_of(environ: Mapping[str, str]) -> Path:
    """Return it, from the password database where the environment has none.

    Raises InvalidSettings where that has none, either.
    """
    if (home := environ.get("HOME", "")).startswith("/"):
        return Path(home)
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise InvalidSettings(("HOME is not set, and this user has no home folder",)) from None
