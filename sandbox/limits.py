"""How much a command may use: names, amounts, and what the kernel is told (getrlimit(2)). Pure.

All are limits of one process, inherited by those it starts; only `processes` counts them together:
within the sandbox's own user namespace, so that nobody else's count (Linux 5.14). Wall time is the
supervisor's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.errors import PlanRefused
from sandbox.model import Exited, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.model import Ending

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_AMOUNT = re.compile(r"([1-9][0-9]{0,18})([KMGT]?)", re.ASCII)
# More than anybody has, and less than what the kernel takes for "no limit".
_MOST = (1 << 62) - 1
_SIGXCPU, _SIGXFSZ = 24, 25  # signal(7): the same on x86-64 and aarch64
# A shell says this much more than the signal that ended its last command.
_SHELLS_OFFSET = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    resource: int  # asm-generic/resource.h: the same on x86-64 and aarch64
    in_bytes: bool
    what: str
    ends_by: int | None = None  # the signal that it ends a process by


KINDS = {
    "processes": _Kind(resource=6, in_bytes=False, what="processes and threads at a time"),
    "memory": _Kind(resource=9, in_bytes=True, what="bytes of address space for each process"),
    "file-size": _Kind(
        resource=1, in_bytes=True, what="bytes in a file that it writes", ends_by=_SIGXFSZ
    ),
    "open-files": _Kind(resource=7, in_bytes=False, what="files open in each process"),
    "cpu-seconds": _Kind(
        resource=0,
        in_bytes=False,
        what="seconds of CPU time for each process",
        ends_by=_SIGXCPU,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: a name of `KINDS`, and so many bytes, seconds or things."""

    name: str
    amount: int

    def order(self) -> str:
        """As the monitor reads it: resource, soft and hard limit."""
        return "limit={} {} {}".format(*self.for_kernel())

    def for_kernel(self) -> tuple[int, int, int]:
        """Resource, soft and hard limit.

        A second between the two of CPU time: at the hard one comes SIGKILL, which says nothing.
        """
        kind = KINDS[self.name]
        hard = self.amount + 1 if kind.ends_by == _SIGXCPU else self.amount
        return kind.resource, self.amount, hard


def parse_limit(text: str) -> Limit:
    """Read NAME=VALUE. Raises ValueError with what is wrong."""
    name, separator, amount = text.partition("=")
    if not separator:
        raise ValueError("a limit is NAME=VALUE, such as memory=2G")
    return read_limit(name, amount)


def read_limit(name: str, amount: str | int) -> Limit:
    """Check a name and an amount: a whole number, with K, M, G or T where bytes are counted.

    Raises ValueError with what is wrong.
    """
    if name not in KINDS:
        raise ValueError(f"no such limit; there are {', '.join(KINDS)}")
    found = _AMOUNT.fullmatch(str(amount))
    if found is None or (found[2] and not KINDS[name].in_bytes):
        units = " (K, M, G and T are powers of 1024)" if KINDS[name].in_bytes else ""
        raise ValueError(f"{name} is a whole number above 0: {KINDS[name].what}{units}")
    return Limit(name=name, amount=min(int(found[1]) * _UNITS[found[2]], _MOST))


def laid_over(*layers: Iterable[Limit]) -> tuple[Limit, ...]:
    """One limit of each name: that of the last layer."""
    return tuple({limit.name: limit for layer in layers for limit in layer}.values())


def refuse_unenforceable(limits: Iterable[Limit], *, is_root: bool, is_fenced: bool) -> None:
    """Raise PlanRefused for a limit that would not hold here."""
    if any(limit.name == "processes" for limit in limits):
        if is_root:
            raise PlanRefused(
                "--limit processes can't be enforced for root: the kernel does not count root's "
                "processes; run as an ordinary user"
            )
        if not is_fenced:
            raise PlanRefused(
                "--limit processes needs the sandbox: without one, all your processes are counted"
            )


def exceeded(limits: Iterable[Limit], ending: Ending) -> Limit | None:
    """Return the limit that ended the command, where its end says so (also a shell's word)."""
    match ending:
        case Signalled(signal=number):
            pass
        case Exited(code=code) if code > _SHELLS_OFFSET:
            number = code - _SHELLS_OFFSET
        case _:
            return None
    return next((limit for limit in limits if KINDS[limit.name].ends_by == number), None)
