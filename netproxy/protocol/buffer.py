"""What every reader of the wire shares: the value for "not yet". Bytes in, one event out."""

from __future__ import annotations

from typing import Final


class NeedData:
    """The bytes so far are fine, and not enough."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NEED_DATA"


NEED_DATA: Final = NeedData()
