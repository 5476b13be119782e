"""The `[sandbox]` part of a user's file, as pydantic sees it: what the command sees and may use.

What the values come to is `netproxy.app.sandbox_settings`: paths are read there.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from netproxy.policy.fields import Strict, refuse

_BYTES = "[1-9][0-9]{0,18}[KMGT]?"


def _bytes(value: Any) -> str:
    """Text of it either way. A truth value is a number to Python, and 0 would be no limit."""
    text = "" if isinstance(value, bool) or not isinstance(value, str | int) else str(value)
    if re.fullmatch(_BYTES, text) is None:
        raise refuse("must be a number of bytes above 0, or text such as 512M or 2G")
    return text


type _Count = Annotated[int, Field(gt=0, lt=10**9)]
type _Bytes = Annotated[
    str,
    BeforeValidator(_bytes),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_BYTES}$"}]}
    ),
]


class SandboxLimits(Strict):
    """How much a command may use: each is a limit of one process, but for `processes`."""

    processes: _Count | None = Field(
        default=None, description="processes and threads of the command at a time; not for root"
    )
    memory: _Bytes | None = Field(
        default=None, description="address space of a process, in bytes: 2147483648 or 2G"
    )
    file_size: _Bytes | None = Field(default=None, description="bytes in a file that it writes")
    open_files: _Count | None = Field(default=None, description="files open in a process")
    cpu_seconds: _Count | None = Field(default=None, description="CPU time of a process")


class Sandbox(Strict):
    """What the command sees."""

    write: list[str] = Field(
        default_factory=list, description="folders that the command may write in"
    )
    limits: SandboxLimits = Field(default=SandboxLimits(), description="how much it may use")
