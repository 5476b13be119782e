from __future__ import annotations

import asyncio
import os
import termios

import pytest
import uvloop

from approvals.errors import ReviewerUnavailable
from approvals.reviewers.tty import Tty, is_foreground
from tests.support.terminals import window

LOOPS = pytest.mark.parametrize(
    "loop_factory", [asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def test_modes_are_restored_exactly_whatever_happens_inside() -> None:
    with window() as terminal:
        before = terminal.modes()
        tty = Tty(terminal.path)
        modes = tty.own_modes()
        modes.__enter__()
        assert not terminal.modes()[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert not modes.__exit__(KeyError, KeyError(), None)
        tty.close()
        assert terminal.modes() == before


def test_lines_are_ended_for_the_terminal_even_from_raw_mode() -> None:
    """A relay may have left output processing off."""
    with window() as terminal:
        modes = terminal.modes()
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        tty = Tty(terminal.path)
        with tty.own_modes():
            tty.write_now("a\nb")
        tty.close()
        assert terminal.look() == "a\r\nb"
        assert terminal.modes() == modes


@LOOPS
def test_what_was_typed_before_is_dropped(loop_factory: type[asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        with window() as terminal:
            terminal.type("ooo\n")
            tty = Tty(terminal.path)
            with tty.own_modes():
                assert await tty.read(0.02) is None
                terminal.type("d")
                assert await tty.read(1) == b"d"
            tty.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@LOOPS
def test_more_than_the_terminal_takes_at_once_is_written_in_the_end(
    loop_factory: type[asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        with window() as terminal:
            tty = Tty(terminal.path)
            text = "x" * 100_000
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(tty.write(text))
                await terminal.sees(text)
            tty.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_terminal_that_hangs_up_is_unavailable() -> None:
    async def main() -> None:
        with window() as terminal:
            tty = Tty(terminal.path)
            os.close(terminal.master)
            with pytest.raises(ReviewerUnavailable):
                await tty.read(1)
            with pytest.raises(ReviewerUnavailable):
                await tty.write("anybody there?")
            tty.write_now("nobody")
            with pytest.raises(ReviewerUnavailable), tty.own_modes():
                raise AssertionError("never")
            assert tty.columns() == 80
            assert tty.stops_writers()
            tty.close()
            terminal.master = os.open(os.devnull, os.O_RDONLY)

    asyncio.run(main())


def test_no_terminal_is_unavailable_and_says_where() -> None:
    with pytest.raises(ReviewerUnavailable, match="/nowhere/tty"):
        Tty("/nowhere/tty")


def test_one_process_has_the_turn_and_closing_gives_it_up() -> None:
    with window() as terminal:
        first, second = Tty(terminal.path), Tty(terminal.path)
        assert first.take_turn()
        assert first.take_turn()
        assert not second.take_turn()
        first.end_turn()
        assert second.take_turn()
        second.close()
        assert first.take_turn()
        first.close()


def test_terminals_do_not_wait_for_each_other() -> None:
    with window() as one, window() as other:
        first, second = Tty(one.path), Tty(other.path)
        assert first.take_turn()
        assert second.take_turn()
        first.close()
        second.close()


def test_the_window_says_its_width() -> None:
    with window() as terminal:
        tty = Tty(terminal.path)
        terminal.resize(132)
        assert tty.columns() == 132
        terminal.resize(0)
        assert tty.columns() == 80
        tty.close()


def test_a_terminal_that_is_not_ours_is_not_in_the_foreground() -> None:
    with window() as terminal:
        assert not is_foreground(terminal.slave)


def test_tostop_is_seen() -> None:
    with window() as terminal:
        tty = Tty(terminal.path)
        assert not tty.stops_writers()
        modes = terminal.modes()
        modes[3] |= termios.TOSTOP
        termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        assert tty.stops_writers()
        tty.close()


def test_surrogates_do_not_break_the_writer() -> None:
    with window() as terminal:
        tty = Tty(terminal.path)
        tty.write_now("\udcff")
        assert "udcff" in terminal.look()
        tty.close()
