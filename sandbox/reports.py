"""What the monitor says of a command, read. It is trusted no more than the command: numbers only.

Pure; `sandbox.linux.monitor` has the messages.
"""

from __future__ import annotations

import os
import signal

from otel.values import dataclass
from sandbox.model import Ending, Exited, NotStarted, Signalled

_STATUS_DIGITS = 5  # a wait status has 16 bits
_STOPS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


@dataclass(frozen=True, slots=True)
class Stopped:
    """The command waits to be continued."""

    signal: int


class Reports:
    """Reads them in order: why an exec failed comes before the end."""

    def __init__(self) -> None:
        self._failed_exec: int | None = None

    def read(self, message: bytes) -> Stopped | Ending | None:
        """Return what happened. None: nothing yet, or nothing that means anything."""
        number = _number(message[1:])
        match message[:1]:
            case b"e":
                self._failed_exec = number
            case b"t" if number in _STOPS:
                return Stopped(number)
            case b"x" if _is_end(number):
                return self._ending(number)
            case _:  # nothing that the other side may say is worth more than ignoring it
                pass
        return None

    def _ending(self, status: int) -> Ending:
        if self._failed_exec is not None:
            return NotStarted(errno=self._failed_exec)
        if os.WIFSIGNALED(status):
            return Signalled(signal=os.WTERMSIG(status))
        return Exited(code=os.waitstatus_to_exitcode(status) & 0xFF)


def _number(digits: bytes) -> int:
    """What follows the letter; -1, which means nothing to anybody, for what is no such number."""
    return int(digits) if digits.isdigit() and len(digits) <= _STATUS_DIGITS else -1


def _is_end(status: int) -> bool:
    """Whether it is a wait status of a process that ended."""
    return 0 <= status <= 0xFFFF and (os.WIFEXITED(status) or os.WIFSIGNALED(status))  # noqa: PLR2004  # 16 bits
