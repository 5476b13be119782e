"""A listener that takes nobody at first."""

from __future__ import annotations

import socket


class Reluctant(socket.socket):
    """A listener whose accept fails a few times first."""

    failures: list[int]

    def _accept(self) -> tuple[int, object]:
        if self.failures:
            raise OSError(self.failures.pop(0), "no")
        return super()._accept()  # type: ignore[misc,no-any-return]  # the C type's own
