"""Cuts what a request goes by when its time is over, whichever part of it that hits.

A timeout of a socket holds for each read: a peer that sends a byte now and then, of a TLS handshake
or of a header, is never late by it. So the connection is shut down from beside, which every read
notices. Whoever is told of an end by that has to ask whether the fuse has blown: half a head is
read as a whole one where its connection ends.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Fuse:
    """For one request at a time."""

    def __init__(self) -> None:
        self.has_blown = False
        self._lock = threading.Lock()
        self._line: int | None = None

    def __del__(self) -> None:
        self._drop()  # a connection that was kept for the next request

    @contextmanager
    def lit(self, seconds: float) -> Iterator[None]:
        """Blow after so long, unless the block ends before. One that fails leaves no connection."""
        self.has_blown = False
        timer = threading.Timer(seconds, self._blow)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException:
            self._drop()
            raise
        finally:
            timer.cancel()
            timer.join()

    def guard(self, line: socket.socket) -> None:
        """Guard this connection, in place of the one before."""
        self._drop()
        with self._lock:
            # A descriptor of our own: TLS takes the socket's away from the object.
            self._line = os.dup(line.fileno())
        if self.has_blown:
            self._drop()

    def _blow(self) -> None:
        self.has_blown = True
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            descriptor, self._line = self._line, None
        if descriptor is not None:
            with socket.socket(fileno=descriptor) as line, suppress(OSError):  # ended by itself
                line.shutdown(socket.SHUT_RDWR)
