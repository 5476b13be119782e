"""Addresses that stand for names, for as long as one run: who connects to one means the name.

They are of 198.18.0.0/15, which no network routes (RFC 2544), and mean nothing to anybody else. A
name keeps its address while it is in use. When there are too many names the one that was used
longest ago is forgotten; its address is given to nobody before all others had their turn, so that
who still remembers it ends up nowhere, and not somewhere else. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from netproxy.policy.hosts import is_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.model import Destination

_FIRST: Final = 198 << 24 | 18 << 16 | 1
_LAST: Final = 198 << 24 | 19 << 16 | 0xFFFE
# Of such addresses as text.
FAKE_PREFIXES: Final = ("198.18.", "198.19.")
# Twice as many addresses as names. A name is 253 bytes at most: 30 MB, if somebody insists.
_MOST: Final = 65_000


class FakeNames:
    """Of one run. Addresses are four bytes, as the kernel and DNS have them."""

    __slots__ = ("_forgotten", "_most", "_names", "_next", "_numbers", "fixed")

    def __init__(self, most: int = _MOST, *, fixed: Mapping[str, bytes] | None = None) -> None:
        """`fixed`: names that have an address which stands for itself."""
        self.fixed = fixed or {}
        self._most = most
        self._next = _FIRST
        self._numbers: dict[str, int] = {}  # the one that was used longest ago first
        self._names: dict[int, str] = {}
        self._forgotten: deque[int] = deque()

    def address(self, name: str) -> bytes:
        """Return the address of a canonical name; from now on it has one."""
        if name in self.fixed:
            return self.fixed[name]
        number = self._numbers.pop(name, None)
        if number is None:
            number = self._another()
            self._names[number] = name
        self._numbers[name] = number
        return number.to_bytes(4)

    def name(self, address: bytes) -> str | None:
        """Return whose address that is, if anybody's."""
        number = int.from_bytes(address)
        name = self._names.get(number)
        if name is not None:
            del self._numbers[name]
            self._numbers[name] = number
        return name

    def meant(self, destination: Destination) -> Destination:
        """Return where a client wants to go that asks a proxy for such an address.

        Some clients look a name up themselves, and then have the proxy connect them to what they
        got.
        """
        host = destination.host
        if not host.startswith(FAKE_PREFIXES) or not is_address(host):
            return destination
        name = self.name(bytes(map(int, host.split("."))))
        return destination if name is None else destination._replace(host=name)

    def _another(self) -> int:
        """Return an address that is nobody's. Those that were never used come first."""
        if len(self._numbers) >= self._most:
            oldest = next(iter(self._numbers))
            number = self._numbers.pop(oldest)
            del self._names[number]
            self._forgotten.append(number)
        if self._next > _LAST:
            return self._forgotten.popleft()
        self._next += 1
        return self._next - 1


def is_fake(address: bytes) -> bool:
    """Tell whether four bytes are an address that could stand for a name."""
    return address[0] == 198 and address[1] in {18, 19}  # noqa: PLR2004  # 198.18.0.0/15
