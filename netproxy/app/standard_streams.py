"""The standard streams of a verb: there whatever its caller closed, and what a failed write means.

What is said on stderr is a courtesy: no run, no record and no exit status hangs on it. What is
written to stdout was asked for: where that fails, it is the outcome.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

# What the shell reports for a program that a closed pipe ended: 128 + SIGPIPE.
EXIT_PIPE_CLOSED = 141


@contextmanager
def standard_streams() -> Iterator[None]:
    """Open all three for a verb, which leaves with 141 or 73 (EX_CANTCREAT) where stdout fails."""
    output = _open()
    try:
        yield
    finally:
        with suppress(StdoutFailed):  # it is remembered
            sys.stdout.flush()
        if output.failure is not None:
            _leave(output.failure)


class StdoutFailed(Exception):
    """Ends the verb, as SIGPIPE would. Nobody has to catch it.

    An OSError would be taken for one of a file or of the network that the verb works on, and
    SystemExit in a task is a traceback of asyncio's.
    """


class _Output(io.FileIO):
    """Remembers its first failure: the verb may end by that, or in another way."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as failure:
            self.failure = failure
            # What is still in the buffers goes nowhere: Python flushes once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self.fileno())
            raise StdoutFailed from failure


class _Courtesy(io.FileIO):
    """Takes what nobody can read as written."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(OSError):
            if written := super().write(data):  # None where it would have to wait
                return written
        return len(memoryview(data))


def _open() -> _Output:
    """Put /dev/null where a caller closed 0, 1 or 2, and streams of ours over them.

    The next descriptor that we open would take the number, and the command would inherit it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    # Python has none where it found a number closed.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115  # as long as we live
    output = _Output(1, "w", closefd=False)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(_Courtesy(2, "w", closefd=False), sys.stderr)
    return output


def _text(raw: io.FileIO, before: TextIO | None) -> TextIO:
    """A stream that is like the one before."""
    if not isinstance(before, io.TextIOWrapper):
        return io.TextIOWrapper(io.BufferedWriter(raw))
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering or before.write_through,
    )


def _leave(failure: OSError) -> NoReturn:
    if isinstance(failure, BrokenPipeError):  # whoever reads has had enough
        raise SystemExit(EXIT_PIPE_CLOSED) from None
    sys.stderr.write(f"netproxy: can't write standard output: {failure.strerror}\n")
    raise SystemExit(os.EX_CANTCREAT) from None
