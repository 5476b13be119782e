"""The thin half of `netproxy run` where a gateway runs already: it decides and records, we build.

The gateway reads the settings and says what to build; we build the sandbox, hand over its
listeners, wait for the command and reap it. Imported are as few things as can be: all this is
waited for. Whatever is unusual is left to `netproxy.app.run`, which says all that there is to say.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproxy import VERSION
from netproxy.app.built import abandon, built
from netproxy.app.control_socket import (
    RUNS,
    ControlRefused,
    connect,
    control_folder,
    control_sockets,
)
from netproxy.app.frames import Line
from netproxy.app.hang_up import FORWARDED, LOOK_AGAIN_SECONDS, HangUp
from sandbox.errors import FenceUnavailable, PlanRefused, SandboxError
from sandbox.host import program_paths
from sandbox.streams import refuse_ways_out
from sandbox.wire import Handle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.attended import Attended

_EXIT_OURS = 125
# A gateway that is busy with others' connections answers within milliseconds all the same.
_PATIENCE_SECONDS = 2.0
# A record may take 2 s on a slow disk, and there are some.
_RECORD_SECONDS = 10.0
_GONE = "the gateway that it was run by has ended"
_SILENT = "the gateway that it was run by does not answer"


def handed_over(arguments: list[str], environ: Mapping[str, str]) -> int | None:
    """Run the command by a gateway, and return the exit status. None: nobody takes it.

    Nothing was started and nothing said then. `arguments` are those after `run`.
    """
    if any(os.isatty(number) for number in (0, 1, 2)):
        return None  # its modes and its questions are for a process that has an event loop
    for line in _gateways(environ):
        try:
            order = _ask(line, arguments, environ)
            if order is not None:
                return _launch(line, order)
        finally:
            line.close()
    return None


def _gateways(environ: Mapping[str, str]) -> Iterator[Line]:
    """A line to each gateway of ours that takes runs over. Names of dead ones are passed over."""
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        return
    folder = control_folder(environ, Path(home))
    with suppress(ControlRefused):
        for name in control_sockets(folder, RUNS):
            with suppress(OSError):
                connection = connect(folder, name, _PATIENCE_SECONDS)
                yield Line(connection)


def _ask(line: Line, arguments: list[str], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """What to build; None: this gateway doesn't take it."""
    try:
        refuse_ways_out()
        directory = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            line.send("run", request(arguments, environ, directory))
        finally:
            os.close(directory)
        # While it thinks.
        import sandbox.process  # noqa: F401  # for what is built next

        answer = line.receive()
    except (OSError, SandboxError):
        return None
    if answer is None or answer[0] != "build":
        return None
    order: dict[str, Any] = answer[1]
    return order


def request(arguments: list[str], environ: Mapping[str, str], directory: int) -> dict[str, object]:
    """What a gateway has to know of a run."""
    return {
        "program": program(),
        "arguments": arguments,
        "environ": dict(environ),
        "directory": Handle(directory),
        "has_terminal": _has_terminal(),
    }


def program() -> tuple[str, ...]:
    """What has to be the same at both ends: the plan protects it, and messages have no versions."""
    return (VERSION, sys.prefix, sys.executable, *program_paths(sys.path))


def _has_terminal() -> bool:
    """Whether somebody could be asked here."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _launch(line: Line, order: dict[str, Any]) -> int:
    """Build what was ordered, and see the command to its end."""
    from sandbox.process import Fence

    line.has_patience(_RECORD_SECONDS)
    for text in order["said"]:
        _say(text)
    try:
        with built(lambda: Fence(order["launch"], bwrap=order["bwrap"])) as fence:
            listeners = fence.complete(fence.listeners())
            from sandbox.attended import Attended  # while the probe inside starts

            assert fence.init is not None, "with bwrap there is one"
            try:
                # Before anybody accepts there: the probe's own connections are taken back.
                proof = {"proof": fence.prove(listeners), "listeners": listeners}
                line.send("built", {**proof, "init": Handle(fence.init)})
            finally:
                listeners.close()  # the gateway has its own by now, and nobody else needs any
            if (why := _refusal(line)) is not None:
                abandon(fence)
                return _fail(why)
            # A signal of this moment waits until it can be passed on.
            signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
            command = Attended(fence)
    except FenceUnavailable as unavailable:
        return _fail(f"can't build the sandbox: {unavailable}")
    except PlanRefused as refused:
        return _fail(str(refused), os.EX_USAGE)
    except (SandboxError, OSError) as failed:
        return _fail(f"the command could not be run: {_in_words(failed)}")
    return _attend(line, command)


def _refusal(line: Line) -> str | None:
    """Why the command may not start; None: its start is on record, and it may."""
    match line.receive():
        case ("go", _):
            return None
        case ("failed", str(why)):
            return why
        case _:
            return f"the command was not run: {_GONE}"


def _attend(line: Line, command: Attended) -> int:
    """From its first moment to the last line."""
    closing: list[tuple[str, Any]] = []

    def heard() -> bool:
        try:
            message = line.receive()
        except (OSError, SandboxError):
            message = None
        if message is not None:
            closing.append(message)
        return False

    with _signals_passed(line, command):
        try:
            line.send("began", command.pid)
            ending = command.watch(line.fileno(), heard)
            if ending is not None:
                line.send("ended", ending)
        except OSError:
            ending = None
        # The gateway ends what the command left, closes its connections, and records it.
        command.finish(waits=ending is not None or bool(closing))
        return _close(closing[0] if closing else _last_word(line))


def _last_word(line: Line) -> tuple[str, Any] | None:
    try:
        return line.receive()
    except TimeoutError:
        return "failed", f"the command ended, which may not be on record: {_SILENT}"
    except (OSError, SandboxError):
        return None


def _close(message: tuple[str, Any] | None) -> int:
    """Say the closing lines, and return what to exit with."""
    match message:
        case ("closing", {"lines": lines, "status": int(status)}):
            for text in lines:
                _say(text)
            return status
        case ("failed", str(why)):
            return _fail(why)
        case _:
            return _fail(f"stopped the command: {_GONE}")


@contextmanager
def _signals_passed(line: Line, command: Attended) -> Iterator[None]:
    """Signals are the command's, as in `netproxy.app.own_signals`."""
    hang_up = HangUp()
    pauses: list[float] = []  # until the next looks

    def hung_up(number: int, _: object) -> None:
        if hang_up.has_come():
            command.signal(signal.SIGHUP)
            return
        if number == signal.SIGHUP:
            with suppress(OSError):
                line.send("reload")
            moments = (0.0, *LOOK_AGAIN_SECONDS)
            pauses[:] = [after - before for before, after in pairwise(moments)]
        if pauses:
            signal.setitimer(signal.ITIMER_REAL, pauses.pop(0))

    def passed(number: int, _: object) -> None:
        command.signal(number)

    handlers = {number: signal.signal(number, passed) for number in FORWARDED}
    for number in (signal.SIGHUP, signal.SIGALRM):
        handlers[number] = signal.signal(number, hung_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _in_words(failed: Exception) -> str:
    match failed:
        case ConnectionError():
            return _GONE
        case TimeoutError():
            return _SILENT
        case _:
            from netproxy.app.os_errors import in_words

            return in_words(failed)


def _fail(text: str, status: int = _EXIT_OURS) -> int:
    _say(text)
    return status


def _say(text: str) -> None:
    """One line on stderr. Whatever the command had a hand in is made visible."""
    from otel.redact import visible  # with the journal: 15 ms, and most runs say nothing

    sys.stderr.write(f"netproxy run: {visible(text)}\n")
    sys.stderr.flush()
