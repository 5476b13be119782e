"""Who runs us, by name where there is one."""

from __future__ import annotations

import os
import pwd


def user_name() -> str | None:
    """The caller's name; a container may have none for its number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def reviewer_name() -> str:
    """Who sits at the terminal, for the record."""
    return user_name() or str(os.getuid())
