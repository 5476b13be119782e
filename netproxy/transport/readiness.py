"""Who is ready to be read or written: one epoll descriptor for all of a gateway's sockets.

The event loop watches that one descriptor and calls back with whatever became ready. Handing each
socket to the loop would cost five system calls a socket (libuv checks every descriptor by adding
and removing it first); here it is one, and closing a socket takes it out. Level-triggered: a
handler may do less than there is to do and is called again, so busy connections take turns.

A handler must try the system call and believe only that: within one batch a descriptor may have
been closed and its number given to another socket.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

READABLE: Final = select.EPOLLIN
WRITABLE: Final = select.EPOLLOUT
# The peer has said its end, also where bytes that came before are left.
ENDED: Final = select.EPOLLRDHUP
# Reported whether asked for or not; whoever waits learns the error from the system call.
BROKEN: Final = select.EPOLLERR | select.EPOLLHUP

# One round serves so many sockets before the loop's own timers and callbacks have their turn.
_BATCH = 256

type Handler = Callable[[int], None]


class Readiness:
    """Made inside a running loop; one for each gateway process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, report: Callable[[str], None]) -> None:
        self.loop = loop
        self._report = report
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._last: list[Callable[[], None]] | None = None  # while a batch is handled
        loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        """Call `handler` whenever one of these events is there. Once for each descriptor."""
        self._epoll.register(descriptor, events)
        self._handlers[descriptor] = handler

    def change(self, descriptor: int, events: int, handler: Handler) -> None:
        """Watch for other events, or with another handler."""
        self._epoll.modify(descriptor, events)
        self._handlers[descriptor] = handler

    def hand_over(self, descriptor: int, handler: Handler) -> None:
        """Watch for the same events, with another handler: no system call."""
        self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """Watch no longer; the descriptor stays open."""
        del self._handlers[descriptor]
        self._epoll.unregister(descriptor)

    def drop(self, descriptor: int) -> None:
        """Forget a descriptor that is closed next: the kernel takes it out by itself then."""
        self._handlers.pop(descriptor, None)

    def at_end(self, act: Callable[[], None]) -> None:
        """Call `act` when the batch that is being handled is, or at once if there is none.

        For short answers to clients that wait: the first one wakes the program that reads them, and
        others that follow at once find it awake. Each wake-up is the sender's to pay for.
        """
        if self._last is None:
            act()
        else:
            self._last.append(act)

    def close(self) -> None:
        """Stop watching everything."""
        self.loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        handlers = self._handlers
        last: list[Callable[[], None]] = []
        self._last = last
        for descriptor, events in self._epoll.poll(0, _BATCH):
            handler = handlers.get(descriptor)
            if handler is None:
                continue  # closed by an earlier handler of this batch
            try:
                handler(events)
            except Exception as problem:  # noqa: BLE001 root of every callback: one connection only
                self._report(f"netproxy: a connection failed inside the gateway: {problem!r}")
                if self._handlers.get(descriptor) is handler:
                    self.forget(descriptor)
        self._last = None
        for act in last:
            try:
                act()
            except Exception as problem:  # noqa: BLE001 as above
                self._report(f"netproxy: a connection failed inside the gateway: {problem!r}")
