"""What a fence has to do with its monitor: how that is started, and how it is heard.

`sandbox.linux.monitor` is the other side. A script is compiled at each of its starts, and all of
that is waited for; what the installation compiled is taken, if it was made of this very source.
"""

from __future__ import annotations

import socket
import sys

# What importlib.util has it from, which would take longer than all of this.
from _frozen_importlib_external import MAGIC_NUMBER
from pathlib import Path

from otel.values import dataclass

_SCRIPT = Path(__file__).with_name("linux") / "monitor.py"
_LONGEST_BYTES = 64
_INT_BYTES = 4
_CREDENTIALS_BYTES = 12  # struct ucred {pid_t pid; uid_t uid; gid_t gid;}
_NUMBER_BYTES = 4  # of a compiled file: magic, flags, and its source's time and size (PEP 552)
_NUMBER = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, its sender as this host numbers it, and the descriptor that came with it."""

    message: bytes
    pid: int | None
    descriptor: int | None


def monitor_words() -> list[str]:
    """How its command line begins. It needs no packages: -I -S."""
    return [interpreter(), "-I", "-S", "-B", "-X", "utf8", str(compiled(_SCRIPT))]


def interpreter() -> str:
    """Path of the base interpreter, not of a virtual environment's link to it."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def compiled(script: Path) -> Path:
    """The script as this interpreter has compiled it; itself where that is not at hand."""
    path = script.parent / "__pycache__" / f"{script.stem}.{sys.implementation.cache_tag}.pyc"
    try:
        source = script.stat()
        with path.open("rb") as file:
            head = file.read(4 * _NUMBER_BYTES)
    except OSError:
        return script
    made_of = (0, int(source.st_mtime) & _NUMBER, source.st_size & _NUMBER)
    wanted = b"".join(number.to_bytes(_NUMBER_BYTES, "little") for number in made_of)
    return path if head == MAGIC_NUMBER + wanted else script


def receive(control: socket.socket, most: int = _LONGEST_BYTES) -> Heard:
    """Wait for a message of at most so many bytes. Raises `OSError`; no bytes: it has hung up."""
    space = socket.CMSG_SPACE(_CREDENTIALS_BYTES) + socket.CMSG_SPACE(_INT_BYTES)
    message, ancillary, _, _ = control.recvmsg(most, space, socket.MSG_CMSG_CLOEXEC)
    came = {kind: int.from_bytes(data[:_INT_BYTES], sys.byteorder) for _, kind, data in ancillary}
    return Heard(message, came.get(socket.SCM_CREDENTIALS), came.get(socket.SCM_RIGHTS))
