"""The `[sandbox]` part of a user's file, as pydantic sees it: what the command sees and may use.

What the values come to is `netproxy.app.sandbox_settings`: paths are read there.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, WithJsonSchema

from netproxy.policy.fields import Strict, reader, refuse, text
from netproxy.policy.forwards import Expose, Reach, parse_expose, parse_reach, parse_unix

_BYTES = "[1-9][0-9]{0,18}[KMGT]?"


def _bytes(value: Any) -> str:
    """Text of it either way. A truth value is a number to Python, and 0 would be no limit."""
    said = "" if isinstance(value, bool) or not isinstance(value, str | int) else str(value)
    if re.fullmatch(_BYTES, said) is None:
        raise refuse("must be a number of bytes above 0, or text such as 512M or 2G")
    return said


ReachField = Annotated[
    InstanceOf[Reach],
    BeforeValidator(reader(parse_reach)),
    text(r"[a-z][a-z0-9-]*=.+:[1-9][0-9]{0,4}", "a service, postgres=127.0.0.1:5432"),
]
UnixField = Annotated[
    str,
    BeforeValidator(reader(parse_unix)),
    text(r"/.+", "a unix socket of this host, /run/postgresql/.s.PGSQL.5432"),
]
ExposeField = Annotated[
    InstanceOf[Expose],
    BeforeValidator(reader(parse_expose)),
    text(r"[1-9][0-9]{0,4}(?::[1-9][0-9]{0,4})?", "a port of the command's, 8080 or 8080:18080"),
]

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


def _name(text: str) -> str:
    if not text or "=" in text or "\0" in text:
        raise refuse("must be the name of a variable")
    if text.upper().startswith("NETPROXY"):
        raise refuse("must be a name that is not for netproxy to say")
    return text


def _value(text: str) -> str:
    if "\0" in text:
        raise refuse("must not hold a NUL byte")
    return text


type _Name = Annotated[str, AfterValidator(_name)]
type _Value = Annotated[str, AfterValidator(_value)]


class SandboxEnvironment(Strict):
    """Which of your variables the command gets. In patterns `*` stands for anything."""

    inherit: Literal["all", "core", "none"] = Field(
        default="all", description="what there is to choose from"
    )
    default_excludes: bool = Field(
        default=True,
        description="leave out names of secrets (*TOKEN, *SECRET*), sockets and what is preloaded",
    )
    exclude: list[_Name] = Field(default_factory=list, description="leave these out, too: patterns")
    set: dict[_Name, _Value] = Field(default_factory=dict, description="and set these")
    include_only: list[_Name] = Field(
        default_factory=list, description="of all those only these: patterns; empty means all"
    )


# Folders in folders; a path of the kernel's has at most 4096 bytes.
_DEPTH_LIMIT = 64


class FileProfile(Strict):
    """Which paths the command may read, write, or not see: a path, a place, or a glob each."""

    extends: Annotated[str, Field(description="the profile that this one adds to")] | None = None
    read: list[str] = Field(default_factory=list, description="may be read, and never written")
    write: list[str] = Field(default_factory=list, description="may be written")
    hide: list[str] = Field(default_factory=list, description="can't be seen")
    scan_depth: (
        Annotated[
            int,
            Field(ge=0, le=_DEPTH_LIMIT, description="how many folders down globs are looked for"),
        ]
        | None
    ) = None


class Sandbox(Strict):
    """What the command sees."""

    files: (
        Annotated[str, Field(description="workspace, read-only, network-only, or one of profiles")]
        | None
    ) = None
    profiles: dict[str, FileProfile] = Field(
        default_factory=dict, description="filesystem profiles, by name"
    )
    write: list[str] = Field(
        default_factory=list, description="folders that the command may write in"
    )
    capture: Literal["auto", "off", "only"] = Field(
        default="auto",
        description="connections of programs that know of no proxy: taken where the kernel can,"
        " never, or nothing but those (without proxy variables)",
    )
    limits: SandboxLimits = Field(default=SandboxLimits(), description="how much it may use")
    environment: SandboxEnvironment = Field(
        default=SandboxEnvironment(), description="which variables it gets"
    )
    reach: list[ReachField] = Field(
        default_factory=list, description="services that appear on the command's own loopback"
    )
    unix: list[UnixField] = Field(
        default_factory=list, description="unix sockets that the command may connect to"
    )
    expose: list[ExposeField] = Field(
        default_factory=list, description="ports of the command's that lead there from this host's"
    )
