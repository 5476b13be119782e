"""The `[sandbox]` part of a user's file, as pydantic sees it: what the command sees and may use.

What the values come to is `netproxy.app.sandbox_settings`: paths are read there.
"""

from __future__ import annotations

from pydantic import Field

from netproxy.policy.fields import Strict


class Sandbox(Strict):
    """What the command sees."""

    write: list[str] = Field(
        default_factory=list, description="folders that the command may write in"
    )
