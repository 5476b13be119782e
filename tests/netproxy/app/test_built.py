"""Nothing of a fence stays that nobody knows of, whenever a signal comes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.built import built
from netproxy.app.called_off import CalledOff, unwinding

if TYPE_CHECKING:
    from sandbox.process import Fence


class FakeFence:
    """Is gone when it was abandoned; a signal comes meanwhile."""

    def __init__(self, comes: signal.Signals | None = None) -> None:
        self._comes = comes
        self.is_gone = False

    def abandon(self) -> None:
        if self._comes is not None:
            os.kill(os.getpid(), self._comes)
        self.is_gone = True


def test_what_is_made_when_a_signal_comes_is_abandoned_before_that_ends_us() -> None:
    fence = FakeFence()

    def make() -> Fence:
        os.kill(os.getpid(), signal.SIGTERM)
        return cast("Fence", fence)

    with unwinding(), pytest.raises(CalledOff), built(make):
        raise AssertionError("it was called off before")
    assert fence.is_gone


def test_a_second_signal_does_not_break_off_its_end() -> None:
    fence = FakeFence(comes=signal.SIGINT)
    with unwinding(), pytest.raises(KeyboardInterrupt), built(lambda: cast("Fence", fence)):
        raise OSError("something failed")
    assert fence.is_gone


def test_it_stays_where_nothing_breaks_it_off() -> None:
    fence = FakeFence()
    with built(lambda: cast("Fence", fence)) as found:
        assert found is cast("Fence", fence)
    assert not fence.is_gone


def test_what_can_not_be_made_is_nothing_to_abandon() -> None:
    def make() -> Fence:
        raise OSError("no bwrap")

    with pytest.raises(OSError, match="no bwrap"), built(make):
        raise AssertionError("there is none")
