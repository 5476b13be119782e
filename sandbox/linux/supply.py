"""Sockets of the sandbox's network, made when they are needed by the helper that stays for it.

A socket belongs to the network namespace in which it was made, whoever holds it. So the gateway can
connect to what the command serves inside, from outside, and nothing inside relays. The helper
(`sandbox.linux.namespace`) answers each order with as many sockets as one message carries cheaply.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

# A browser opens six to a host. More are ordered as soon as these are used up.
_BATCH = 8
_MESSAGE_BYTES = 256
_ORDERS = {b"4": socket.AF_INET, b"6": socket.AF_INET6}


def supply(channel: socket.socket) -> None:
    """Answer orders until nobody listens any more. For the helper, in its own process."""
    # Of no terminal: Ctrl-C is for the command. And a pipe of the caller's that stays open here
    # would keep whoever reads it waiting.
    os.setsid()
    os.closerange(0, channel.fileno())
    os.closerange(channel.fileno() + 1, 1 << 20)
    channel.settimeout(None)
    while order := channel.recv(1):
        made: list[socket.socket] = []
        try:
            made += (socket.socket(_ORDERS[order], socket.SOCK_STREAM) for _ in range(_BATCH))
            socket.send_fds(channel, [order], [each.fileno() for each in made])
        except OSError as error:
            channel.send(order + str(error).encode()[: _MESSAGE_BYTES - 1])
        finally:
            for each in made:
                each.close()


class SocketSupply:
    """The other end, in the gateway. Make it inside a running loop, with a channel that is open.

    It keeps a descriptor of its own: whoever ends the helper closes the other at any time.
    """

    def __init__(self, channel: socket.socket) -> None:
        import asyncio  # not in the helper, which starts before anything heavy is imported

        self._channel = channel.dup()
        self._channel.setblocking(False)
        self._stock: dict[int, list[socket.socket]] = {family: [] for family in _ORDERS.values()}
        self._coming: dict[int, asyncio.Future[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._channel, self._received)

    async def take(self, family: int) -> socket.socket:
        """Return an unconnected TCP socket of the sandbox's that doesn't block. Raises `OSError`.

        `family`: AF_INET or AF_INET6.
        """
        import asyncio

        stock = self._stock[family]
        while not stock:
            coming = self._coming.get(family)
            if coming is None:
                coming = self._order(family)
            await asyncio.wait([coming])
            coming.result()
        return stock.pop()

    def _order(self, family: int) -> asyncio.Future[None]:
        word = next(word for word, meant in _ORDERS.items() if meant == family)
        self._channel.send(word)
        coming = self._coming[family] = self._loop.create_future()
        # Who ordered may have left: then nobody asks what became of it.
        coming.add_done_callback(lambda done: done.exception())
        return coming

    def _received(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._channel, _MESSAGE_BYTES, _BATCH)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        if not message:
            self._lost()
            return
        family = _ORDERS[message[:1]]
        for descriptor in descriptors:
            made = socket.socket(fileno=descriptor)
            made.setblocking(False)
            self._stock[family].append(made)
        coming = self._coming.pop(family)
        if descriptors:
            coming.set_result(None)
        else:
            coming.set_exception(OSError(message[1:].decode(errors="replace")))

    def _lost(self) -> None:
        """The helper is gone: whoever waits, and whoever comes later, gets no socket."""
        self._loop.remove_reader(self._channel)
        self._channel.close()
        for coming in self._coming.values():
            coming.set_exception(BrokenPipeError("nobody is left inside to make sockets"))
        self._coming.clear()

    def close(self) -> None:
        """Give back what was not taken. The helper ends."""
        if self._channel.fileno() >= 0:
            self._lost()
        for stock in self._stock.values():
            for each in stock:
                each.close()
            stock.clear()
