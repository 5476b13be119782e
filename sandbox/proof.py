"""The sandbox proves itself: what the probe inside is told, and what its answers come to.

Inside, a child of the monitor tries what must fail (`sandbox.linux.attempts`). Out here is the
other half: a listener on this host's loopback that nobody may reach, and the run's own listeners,
from which the probe's connections are taken before anybody else accepts there. A captured one must
say where it wanted to go: then it did not get there.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.config import HTTP_PORT
from sandbox.errors import FenceBroken, LaunchFailed
from sandbox.linux import attempts, landlock, nflog
from sandbox.linux.bubblewrap import MOST_MOUNTS
from sandbox.plan import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.launch import CaptureSockets, Listeners
    from sandbox.plan import Plan

# Those of `sandbox.linux.attempts`.
_DIRECT = "a direct IPv4 connection", "a direct IPv6 connection"
_UDP = "a direct UDP datagram", "a direct UDP datagram over IPv6"
_HOST = "this host's loopback"
_PROXY = "the proxy can be reached"
_TARGETS = frozenset({("192.0.2.1", 9), ("2001:db8::1", 9)})
_WORKED = "OK"
_UNSEEN = frozenset({Access.HIDDEN, Access.SPARSE, Access.UNREADABLE})

_SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h; the same number for IPv6
_ADDRESS4, _ADDRESS6 = struct.Struct("!2xH4s8x"), struct.Struct("!2xH4x16s4x")
_REPORT_BYTES = 1 << 16
# The kernel gathers its reports of refused packets for a hundredth of a second.
_REPORT_MS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One thing that was tried, the answer, and whether it must be so.

    `answer`: an errno's name, or OK, and then the path, where several were tried.
    """

    name: str
    answer: str
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """All that was tried, and how long it took inside."""

    attempts: tuple[Attempt, ...]
    duration_us: int

    @property
    def surprises(self) -> tuple[Attempt, ...]:
        """What was not as it must be."""
        return tuple(attempt for attempt in self.attempts if not attempt.held)

    @property
    def held(self) -> bool:
        """Whether the command may run."""
        return not self.surprises

    def demand(self) -> None:
        """Raise FenceBroken unless it held."""
        if self.held:
            return
        said = ", ".join(f"{attempt.name} ({attempt.answer})" for attempt in self.surprises)
        raise FenceBroken(f"the sandbox does not hold, nothing was executed: {said}")


class Prover:
    """One sandbox's proof: `orders` for its monitor, then `judge`. `close` it in any case."""

    def __init__(self, plan: Plan, *, unix_by_path: bool = False) -> None:
        """`unix_by_path`: unix sockets may be made, as `sandbox.linux.seccomp` has it."""
        self._plan = plan
        self._unix_by_path = unix_by_path
        self._ordered = frozenset({_PROXY})
        self._bait = socket.create_server(("127.0.0.1", 0))
        self._bait.setblocking(False)

    def orders(self, *, is_captured: bool) -> tuple[str, ...]:
        """What the monitor is told: of Landlock, and of what is to be tried."""
        version = landlock.version()
        plan = self._plan
        belt = [f"landlock={version}"]
        if version:  # a rule holds for whatever is mounted below its path, too
            belt += [f"write={path}" for path in plan.changeable()]
        told = {"proxy": str(HTTP_PORT), "host": str(self._bait.getsockname()[1])}
        told |= {"signals": ""} if version >= landlock.SCOPES else {}
        told |= {} if plan.lets_write("/") else {"root": ""}
        told |= {"capture": ""} if is_captured else {}
        told |= {"unix": ""} if self._unix_by_path else {}
        closed = tuple(_closed_paths(plan))
        self._ordered = frozenset(attempts.names(told | dict(closed)))
        return (*belt, *(f"{name}={words}" for name, words in (*told.items(), *closed)))

    def judge(self, message: bytes, listeners: Listeners) -> Proof:
        """Read the probe's answer, and look where it got to. Raises LaunchFailed.

        Its connections are taken from the run's listeners: nobody may accept there before.
        """
        head, *outcomes = os.fsdecode(message).split("\0")
        found = {attempt.name: attempt for attempt in map(_read, outcomes)}
        if not (head.startswith("v") and head[1:].isdigit()) or _PROXY not in found:
            raise LaunchFailed("the probe inside the sandbox did not answer")
        if left_out := sorted(self._ordered - found.keys()):
            raise LaunchFailed(
                f"the probe inside the sandbox did not try all that it must: {', '.join(left_out)}"
            )
        seen = _take(self._bait)
        if seen:
            found[_HOST] = Attempt(name=_HOST, answer=_WORKED, held=False)
        _take(listeners.http)
        _take(listeners.socks)
        if listeners.capture is not None:
            found |= _captured(found, listeners.capture)
        return Proof(attempts=tuple(found.values()), duration_us=int(head[1:]))

    def close(self) -> None:
        """Once is enough."""
        self._bait.close()


def _closed_paths(plan: Plan) -> Iterator[tuple[str, str]]:
    """All below `/` that must stay read-only, and all that can't be opened or listed.

    `/` has an attempt of its own; where it is hidden it shows what is open, by name. What is
    mounted only behind the proof is looked at there (`sandbox.linux.late_mounts`).
    """
    early, _ = plan.divided(MOST_MOUNTS)
    for mount in early:
        if mount.path == "/":
            continue
        if mount.access in _UNSEEN:
            yield "hidden", mount.path
        elif mount.access is Access.READ and _is_held_by_mounts(mount.path):
            yield "protected", mount.path


def _is_held_by_mounts(path: str) -> bool:
    """What is written into a FIFO or a device is on no file system, read-only or not."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # text
    except OSError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _read(outcome: str) -> Attempt:
    name, _, answer = outcome.removeprefix("!").partition("=")
    return Attempt(name=name, answer=answer, held=not outcome.startswith("!"))


def _take(listener: socket.socket) -> list[tuple[str, int] | None]:
    """All that wait there, as the places that they wanted to reach."""
    taken: list[tuple[str, int] | None] = []
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return taken
        with client:
            taken.append(_wanted(client))


def _wanted(client: socket.socket) -> tuple[str, int] | None:
    is_ipv6 = client.family == socket.AF_INET6
    level, form = (41, _ADDRESS6) if is_ipv6 else (0, _ADDRESS4)
    try:
        port, address = form.unpack(client.getsockopt(level, _SO_ORIGINAL_DST, form.size))
    except OSError:  # nobody captured it
        return None
    return socket.inet_ntop(client.family, address), port


def _captured(found: dict[str, Attempt], capture: CaptureSockets) -> dict[str, Attempt]:
    """Each direct connection that worked is here, or it went somewhere else."""
    arrived = {wanted for listener in capture.tcp for wanted in _take(listener)}
    _forget_reports(found, capture.rejected)
    count = sum(found[name].answer == _WORKED for name in _DIRECT)
    if arrived <= _TARGETS and len(arrived) == count:
        return {
            name: Attempt(name=name, answer="captured", held=True)
            for name in _DIRECT
            if found[name].answer == _WORKED
        }
    return {
        name: Attempt(name=name, answer=_WORKED, held=False)
        for name in _DIRECT
        if found[name].answer == _WORKED
    } or {_DIRECT[0]: Attempt(name=_DIRECT[0], answer="captured elsewhere", held=False)}


def _forget_reports(found: dict[str, Attempt], rejected: socket.socket | None) -> None:
    """Of the datagrams that the probe sent: they are no traffic of the command's."""
    if rejected is None:
        return
    expected = sum(found[name].answer == "EPERM" for name in _UDP)
    poll = select.poll()  # select(2) takes no descriptor above 1,023
    poll.register(rejected, select.POLLIN)
    while expected > 0 and poll.poll(_REPORT_MS):
        expected -= nflog.count(rejected.recv(_REPORT_BYTES))
