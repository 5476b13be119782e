"""Asks whoever sits at the terminal, on the terminal itself: never on the command's own streams.

One question at a time, in this process and among all that share the terminal, and only while our
job is in the foreground. The command's output is held while the question stands, and the terminal
gets back exactly the modes that it had.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

from approvals.model import Answer
from approvals.reviewers import terminal_text as text
from approvals.reviewers.line import MOST_TOGETHER, Line
from approvals.reviewers.terminal_keys import DETAILS, GROUP, Choice, Keyboard, choice_of
from approvals.reviewers.tty import Tty, is_foreground

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from approvals.config import TerminalConfig
    from approvals.ports import Clock, Inquiry, Screen


class TerminalReviewer:
    """The person at the terminal. `reviewer` is who that is, for the record."""

    channel = "terminal"

    def __init__(  # noqa: PLR0913  # each is a different thing that tests replace
        self,
        *,
        reviewer: str,
        screen: Screen,
        clock: Clock,
        config: TerminalConfig,
        environment: Mapping[str, str],
        path: str = "/dev/tty",
        in_foreground: Callable[[int], bool] = is_foreground,
    ) -> None:
        self._reviewer = reviewer
        self._screen = screen
        self._clock = clock
        self._config = config
        self._environment = environment
        self._path = path
        self._in_foreground = in_foreground
        self._line = Line()
        self._stopped: tuple[str, float] | None = None  # the last run that was told to, and when

    async def review(self, inquiry: Inquiry) -> Answer:
        """Wait for the terminal, ask, and return the answer."""
        with closing(Tty(self._path)):
            inquiry.accept()
        with self._line.place(inquiry) as place:
            given = await self._line.turn(place)
            if given is not None:
                return given
            await self._let_it_stop(inquiry.question.asking.run)
            return await self._ask(inquiry)

    async def _let_it_stop(self, run: str) -> None:
        """What a run asks that was told to stop ends with it: nobody has to read that."""
        if self._stopped is None or self._stopped[0] != run:
            return
        left = self._stopped[1] + self._config.stopping_seconds - self._clock.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    async def _ask(self, inquiry: Inquiry) -> Answer:
        with closing(Tty(self._path)) as tty:
            while True:
                await self._wait_for_turn(tty, inquiry)
                async with self._screen.held():
                    answer = await self._converse(tty, inquiry)
                if answer is not None:
                    return answer
                tty.end_turn()

    async def _wait_for_turn(self, tty: Tty, inquiry: Inquiry) -> None:
        announced = False
        while not (self._in_foreground(tty.descriptor) and tty.take_turn()):
            if not (announced or self._in_foreground(tty.descriptor) or tty.stops_writers()):
                await tty.write(text.waiting_text(inquiry.question))
                announced = True
            await asyncio.sleep(self._config.poll_seconds)

    async def _converse(self, tty: Tty, inquiry: Inquiry) -> Answer | None:
        """The answer; None when the job was put into the background before there was one."""
        with tty.own_modes():
            try:
                return await self._listen(tty, inquiry)
            except asyncio.CancelledError:
                tty.write_now(text.ended_text(inquiry.question, inquiry.resolution))
                raise

    async def _listen(self, tty: Tty, inquiry: Inquiry) -> Answer | None:
        question = inquiry.question
        # What is on the screen: those questions of the group that the next answer is for, too.
        group = self._line.group(inquiry)
        together: list[tuple[Inquiry, int]] = []
        await self._show(tty, inquiry, group)
        keyboard = Keyboard(self._config, self._clock.monotonic())
        status = ""
        while self._in_foreground(tty.descriptor):
            # The count on the screen and the number in the answer are read at one moment.
            seen, previous, status = inquiry.joined, status, self._status(tty, inquiry)
            if status != previous:
                await tty.write(status)
            data = await tty.read(self._config.tick_seconds)
            key = None if data is None else keyboard.press(data, self._clock.monotonic())
            if key is None:
                continue
            choice = choice_of(key, question)
            if choice is not None:
                answer, now = self._answer(choice, seen), self._clock.wall()
                others = [(each, self._answer(choice, upto)) for each, upto in together]
                self._line.give(others)
                if answer.cancel:
                    self._stopped = question.asking.run, self._clock.monotonic()
                done = text.answered_text(question, answer, now=now, others=len(others))
                await tty.write(done)
                return answer
            status = ""
            if key == GROUP:
                group = self._line.group(inquiry)
                these = () if together else group[: MOST_TOGETHER - 1]
                together = [(each, each.joined) for each in these]
            if key == DETAILS or (key == GROUP and group):
                details = key == DETAILS
                await self._show(tty, inquiry, group, together=bool(together), details=details)
            else:
                await tty.write(text.help_text(question, self._look(tty)))
        return None

    async def _show(
        self,
        tty: Tty,
        inquiry: Inquiry,
        group: tuple[Inquiry, ...],
        *,
        together: bool = False,
        details: bool = False,
    ) -> None:
        scene = text.Scene(
            now=self._clock.wall(),
            behind=len(self._line) - 1,
            group=tuple(each.question for each in group[: MOST_TOGETHER - 1]),
            beyond=max(0, len(group) - MOST_TOGETHER + 1),
            together=together,
        )
        look = self._look(tty)
        await tty.write(text.question_text(inquiry.question, look, scene, details=details))

    def _status(self, tty: Tty, inquiry: Inquiry) -> str:
        look = self._look(tty)
        return text.status_text(
            inquiry.question, look, waiting=inquiry.waiting, seconds_left=inquiry.seconds_left
        )

    def _look(self, tty: Tty) -> text.Look:
        return text.look(self._environment, tty.columns())

    def _answer(self, choice: Choice, seen: int) -> Answer:
        return Answer(
            verdict=choice.verdict,
            scope=choice.scope,
            cancel=choice.cancel,
            reviewer=self._reviewer,
            channel=self.channel,
            seen_join_no=seen,
            seconds=choice.seconds,
        )
