"""Values of this package as text and descriptors, and back: where a launcher and its gateway part.

What travels is plain data, the dataclasses and enumerations of the modules below, and open files.
What is read can name nothing else. Both ends are one installation, of one user.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from otel.values import dataclass, fields
from sandbox.errors import LaunchFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

# Whose classes may travel.
_MODULES = frozenset({
    "sandbox.capture",
    "sandbox.launch",
    "sandbox.limits",
    "sandbox.model",
    "sandbox.plan",
    "sandbox.proof",
    "sandbox.streams",
})  # fmt: skip
_KIND = "@"


@dataclass(frozen=True, slots=True)
class Handle:
    """An open file that is no socket: the receiver gets a descriptor of its own."""

    descriptor: int

    def fileno(self) -> int:
        """As a socket has it."""
        return self.descriptor


def pack(value: object) -> tuple[bytes, list[int]]:
    """Return the text, and the descriptors that go with it; they stay the caller's."""
    descriptors: list[int] = []
    return json.dumps(_plain(value, descriptors)).encode("ascii"), descriptors


def unpack(text: bytes, descriptors: Sequence[int]) -> Any:
    """Return what was packed; its descriptors are owned by it then. Lists come back as tuples.

    Raises LaunchFailed, and closes them, when the text is not ours.
    """
    try:
        return _value(json.loads(text), descriptors)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        for descriptor in descriptors:
            os.close(descriptor)
        raise LaunchFailed(f"a message that is none: {error}") from error


def _plain(value: object, descriptors: list[int]) -> object:  # noqa: PLR0911  # one for each kind
    match value:
        case Enum():
            return {_KIND: _name(type(value)), "value": value.value}
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {_KIND: "bytes", "of": value.hex()}
        case Handle() | socket.socket():
            kind = "file" if isinstance(value, Handle) else "socket"
            descriptors.append(value.fileno())
            return {_KIND: kind, "of": len(descriptors) - 1}
        case tuple() | list():
            return [_plain(each, descriptors) for each in value]
        case dict():
            of = [[key, _plain(each, descriptors)] for key, each in value.items()]
            return {_KIND: "dict", "of": of}
        case _:
            names = (each.name for each in fields(value))  # type: ignore[arg-type]  # else: our bug
            plain = {name: _plain(getattr(value, name), descriptors) for name in names}
            return {_KIND: _name(type(value)), **plain}


def _name(kind: type) -> str:
    if kind.__module__ not in _MODULES:
        raise TypeError(f"{kind.__module__}.{kind.__qualname__} does not travel: see {__name__}")
    return f"{kind.__module__}:{kind.__qualname__}"


def _value(plain: object, descriptors: Sequence[int]) -> object:  # noqa: PLR0911  # as there
    if isinstance(plain, list):
        return tuple(_value(each, descriptors) for each in plain)
    if not isinstance(plain, dict):
        return plain
    match plain.pop(_KIND):
        case "file":
            return Handle(descriptors[plain["of"]])
        case "socket":
            return socket.socket(fileno=descriptors[plain["of"]])
        case "bytes":
            return bytes.fromhex(plain["of"])
        case "dict":
            return {key: _value(each, descriptors) for key, each in plain["of"]}
        case name:
            given = {key: _value(each, descriptors) for key, each in plain.items()}
            return _class(name)(**given)


def _class(name: str) -> type[Any]:
    module, _, kind = name.partition(":")
    if module not in _MODULES:
        raise LookupError(f"{module} is not among what travels")
    found: type[Any] = getattr(sys.modules.get(module) or import_module(module), kind)
    if found.__module__ != module:
        raise LookupError(f"{name} is not among what travels")
    return found
