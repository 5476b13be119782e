"""Asks a program: the question as JSON on its stdin, its verdict as JSON on its stdout.

The program is the user's, what it decides on is not: so no shell, an environment by name, `/` for
a folder, a session of its own, and a deadline at which the whole process group is killed, as it is
when the question ends otherwise. Whatever isn't a verdict is no opinion, and the others go on.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from approvals.errors import InvalidJson, ReviewerUnavailable
from approvals.shown import shown
from approvals.strict_json import read_object
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from approvals.config import CommandSettings
    from approvals.model import Answer
    from approvals.ports import Inquiry

# A verdict with the longest comment, each character escaped.
_OUTPUT_BYTES: Final = 32 * 1024
# The last words of a process are in its pipe when it ends.
_AFTERWARDS_SECONDS: Final = 0.2
_REAP_SECONDS: Final = 1.0
# What a person reads of a traceback in a record.
_COMPLAINT_BYTES: Final = 512
# What every program may need to run at all.
_USUAL: Final = ("PATH", "HOME", "LANG")
# A program that judges the network must not reach it through the gateway that it judges.
_NEVER: Final = ("proxy", "netproxy")


class CommandReviewer:
    """One program."""

    channel = "command"

    def __init__(self, settings: CommandSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = {
            name: environ[name]
            for name in (*_USUAL, *settings.environment)
            if name in environ and not any(word in name.lower() for word in _NEVER)
        }

    async def review(self, inquiry: Inquiry) -> Answer:
        """Run it once. Raises `ReviewerUnavailable` with the kind of its failure first."""
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                output = await self._run(inquiry)
        except TimeoutError:
            why = f"timeout: {settings.name} said nothing within {settings.timeout_seconds:g} s"
            raise ReviewerUnavailable(why) from None
        return self._read(output, inquiry)

    async def _run(self, inquiry: Inquiry) -> bytes:
        name = self._settings.name
        try:
            program = await self._started()
        except (OSError, ValueError) as error:
            said = (isinstance(error, OSError) and error.strerror) or str(error)
            raise ReviewerUnavailable(f"start: {name} can't be run: {said.lower()}") from None
        inquiry.accept()
        try:
            program.tell(_asked(inquiry))
            await program.exited.wait()
            program.kill()
            # What left the session may keep the pipe; it is not listened to.
            with suppress(TimeoutError):
                async with asyncio.timeout(_AFTERWARDS_SECONDS):
                    await program.heard.wait()
        finally:
            await program.end()
        if program.status and not program.is_too_long:
            said = visible(program.complaint.decode("utf-8", "replace").strip())
            why = f"exit: {name} ended with {program.status}: {said}".rstrip(": ")
            raise ReviewerUnavailable(why)
        return program.output

    async def _started(self) -> _Program:
        """The program, running. Raises `OSError` or `ValueError`."""
        loop, program = asyncio.get_running_loop(), _Program()
        start = loop.subprocess_exec(
            lambda: program,
            *self._settings.argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd="/",
            env=self._environ,
            start_new_session=True,
        )
        # Not cut short: asyncio would kill the program, and wait for those that it started.
        starting = loop.create_task(start)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            with suppress(OSError, ValueError):
                await starting
                await program.end()
            raise
        return program

    def _read(self, output: bytes, inquiry: Inquiry) -> Answer:
        from pydantic import ValidationError

        from approvals.errors import InvalidAnswer, NoOpinion
        from approvals.wire import Said, answer_of, invalid_of

        name = self._settings.name
        if len(output) > _OUTPUT_BYTES:
            raise ReviewerUnavailable(f"invalid: {name} said more than {_OUTPUT_BYTES} bytes")
        try:
            said = Said.model_validate(read_object(output))
            return answer_of(
                said,
                inquiry.question,
                seen_join_no=inquiry.joined,
                widest=self._settings.widest_scope,
                reviewer=f"command {name}",
                channel=self.channel,
            )
        except NoOpinion:
            raise
        except ValidationError as error:
            raise ReviewerUnavailable(f"invalid: {name}: {invalid_of(error)}") from None
        except (InvalidJson, InvalidAnswer) as error:
            raise ReviewerUnavailable(f"invalid: {name}: {error}") from None


def _asked(inquiry: Inquiry) -> bytes:
    question = inquiry.question
    asked = {
        "schema": 1,
        "type": "approval.requested",
        "request": shown(question),
        "request_digest": question.digest,
        "waiting": inquiry.waiting,
        "seconds_left": round(inquiry.seconds_left),
    }
    return json.dumps(asked, ensure_ascii=False).encode() + b"\n"


class _Program(asyncio.SubprocessProtocol):
    """Its process group, and what it said so far."""

    def __init__(self) -> None:
        self.output = b""
        self.complaint = b""  # the end of its stderr: a traceback says last what is wrong
        self.exited = asyncio.Event()
        self.heard = asyncio.Event()  # stdout and stderr have ended
        self._speaking = {1, 2}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's has all of its methods, and is none by its class.
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._group = self._transport.get_pid()

    @property
    def is_too_long(self) -> bool:
        """Whether it says more than any verdict takes."""
        return len(self.output) > _OUTPUT_BYTES

    def tell(self, text: bytes) -> None:
        """Put it on its stdin, which ends there. It need not read it."""
        pipe = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        pipe.write(text)
        pipe.close()  # once all is written

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self.output += data
            if self.is_too_long:
                self.kill()
        else:
            self.complaint = (self.complaint + data)[-_COMPLAINT_BYTES:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's form
        self._speaking.discard(fd)
        if not self._speaking:
            self.heard.set()

    def process_exited(self) -> None:
        self.exited.set()

    @property
    def status(self) -> int | None:
        """How it ended; below zero, by that signal."""
        return self._transport.get_returncode()

    async def end(self) -> None:
        """Kill it, see it gone, and listen no more."""
        self.kill()
        with suppress(TimeoutError):  # stuck in the kernel: it is dead as far as anybody can tell
            async with asyncio.timeout(_REAP_SECONDS):
                await self.exited.wait()
        self._transport.close()

    def kill(self) -> None:
        """Kill all of its group. While one of them lives, nobody else gets the group's number."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)
