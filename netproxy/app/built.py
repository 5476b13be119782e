"""A fence is made, and abandoned, as a whole: no signal breaks off either.

One that is half made has processes that nobody knows of. bwrap ends with us; but between its clone
and the first word to its child, that child waits for the word for ever, with our streams open.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from netproxy.app.called_off import held_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.process import Fence


@contextmanager
def built(make: Callable[[], Fence]) -> Iterator[Fence]:
    """Have it for the block; whatever breaks that off abandons it first."""
    fence = None
    try:
        with held_back():
            fence = make()
        yield fence
    except BaseException:
        if fence is not None:
            abandon(fence)
        raise


def abandon(fence: Fence) -> None:
    """The command never ran. An impatient second Ctrl-C waits until nothing of it is left."""
    with held_back():
        fence.abandon()
