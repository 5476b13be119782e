"""Words of others in TOML that we write: as values, as keys, and in comments. Pure.

What is not printable becomes a replacement character: nothing ends a line or hides on a screen.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from netproxy.policy.hosts import shown

if TYPE_CHECKING:
    from netproxy.policy.toml_places import Path

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def value(text: str) -> str:
    """Write a basic string. Of JSON's escapes only those that TOML has are left to be made."""
    return json.dumps(comment(text), ensure_ascii=False)


def key(text: str) -> str:
    """Write a key, quoted where it must be."""
    return text if _BARE_KEY.fullmatch(text) else value(text)


def key_path(path: Path) -> str:
    """Write where a value stands, for people: `profiles.dev.network.allow[3]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part if _BARE_KEY.fullmatch(part) else shown(part)}"
    return text.removeprefix(".")


def comment(text: str) -> str:
    """Write a text that stands behind a `#`."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
