"""Feeding sans-io readers: whole, and split where Hypothesis likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from netproxy.protocol.buffer import NeedData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def pieces(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """The same bytes, cut anywhere."""
    cuts = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    return cuts.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])


def fed[Event](
    receive: Callable[[bytes], NeedData | Event], parts: Iterable[bytes]
) -> tuple[Event | None, bytes]:
    """The first event, and the bytes that were not handed over yet."""
    rest = list(parts)
    while rest:
        event = receive(rest.pop(0))
        if not isinstance(event, NeedData):
            return event, b"".join(rest)
    return None, b""
