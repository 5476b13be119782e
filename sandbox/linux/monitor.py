"""The session leader inside the sandbox: gives the command its terminal, reports stops and its end.

It runs as `python -I -S -B -X utf8 monitor.py CONTROL STDERR TTY FOREGROUND COMMAND` and imports
built-in modules only, so that it is up in 15 ms; it shares no code with the package. Why it exists:
bwrap reports neither a stopped child (Ctrl-Z) nor why an exec failed. sudo's use_pty has one for
the same reason.

Control messages (one datagram each): to the launcher `r` ready or `p` ready with the terminal's
master descriptor, `s` (sent by the command's own process, so that SO_PASSCRED shows its pid in the
launcher's terms), `e<errno>`, `t<signal>` stopped, `x<status>` ended (wait status); from the
launcher `+` begin, and at the end leave; `g` go on in the foreground, `b` in the background.
It is trusted no more than the command: after `s` nothing it says gives it anything.
"""

# ruff: noqa: S606  # executing the command is what this program is for

import _signal as signals  # type: ignore[import-not-found]  # CPython's own; signal and socket import enum, which takes longer than all of this
import _socket
import errno
import fcntl
import os
import sys
import time

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MESSAGE_BYTES = 16
_PIECE_BYTES = 1 << 20
_EXEC_FAILED = 255
_FOR_THE_PROBE = ("proxy", "host", "root", "protected", "hidden", "capture", "unix", "signals")
# What Python itself changed at its start, and what would end or stop us before the command has the
# terminal. What the caller ignored on purpose (nohup does SIGHUP) stays ignored for the command.
_PYTHON_IGNORES = (signals.SIGPIPE, signals.SIGXFSZ)
_KEYS = (signals.SIGINT, signals.SIGQUIT, signals.SIGTSTP, signals.SIGTTOU)

type _Rights = tuple[int, int, bytes]  # an ancillary message: sendmsg(2)
type _Command = tuple[list[bytes], dict[bytes, bytes]]  # words and environment


def main() -> None:
    """Start the command, then pass reports and orders until it ended."""
    control_fd, stderr_fd = int(sys.argv[1]), int(sys.argv[2])
    streams, foreground = sys.argv[3], sys.argv[4] == "1"
    command = _read_command(int(sys.argv[5]))
    os.dup2(stderr_fd, 2)
    os.close(stderr_fd)
    os.set_inheritable(control_fd, False)
    control = _socket.socket(fileno=control_fd)
    orders = _take_orders(control)
    if os.getsid(0) != os.getpid():  # without bwrap the launcher made us one already
        os.setsid()
    belt = _make_belt(orders)
    if told := _for_the_probe(orders):
        _prove(control, told, belt)
    terminal = _make_terminal(control, streams)
    reset = [*_PYTHON_IGNORES, *_ignore_keys()]

    def prepare() -> "list[_Rights]":
        """In the command's own process, last before it is executed. What goes with `s`."""
        rights = _answered_outside(orders)
        if belt is not None:
            belt()
        for name, words in orders:
            if name == "limit":
                _limit(*map(int, words.split()))
        return rights

    child = _start(control, command, terminal if foreground else None, reset, prepare)
    if terminal is not None:
        for descriptor in (0, 1, 2):
            if str(descriptor) in streams:
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, descriptor)
                os.close(null)
    _watch(control, child, terminal)


def _take_orders(control: "_socket.socket") -> list[tuple[str, str]]:
    """Name and words of each. The launcher's first message, sent before we were up.

    It is `o` with a file: the orders, each `NAME=WORDS` and a NUL. A message has a size, and would
    be cut or refused where the orders are many. `limit=RESOURCE SOFT HARD` is set in the
    command's own process just before it is executed; `notify=CALL PROGRAM` has its connects
    answered outside (`notify`), and a descriptor goes with `s`. `landlock=VERSION` and each
    `write=PATH` make the second belt. `proxy=PORT` has a probe run before all else, and `host`,
    `root`, `protected`, `hidden`, `capture`, `unix` and `signals` say what it tries (`attempts`):
    its answer is `v`.
    """
    kind, ancillary, _, _ = control.recvmsg(_MESSAGE_BYTES, _socket.CMSG_SPACE(4))
    if kind != b"o":
        os._exit(_EXEC_FAILED)
    orders = _read_strings(int.from_bytes(ancillary[0][2], sys.byteorder))
    return [(name, words) for name, _, words in (os.fsdecode(o).partition("=") for o in orders)]


def _read_command(descriptor: int) -> "_Command":
    """From strings that each end in a NUL: how many words there are, the words, the environment.

    They come this way because bwrap takes 9,000 words in all, shows its own to everybody in /proc,
    and is not to be started with variables that load code (ld.so(8)).
    """
    count, *strings = _read_strings(descriptor)
    words, variables = strings[: int(count)], strings[int(count) :]
    return words, {name: value for name, _, value in (each.partition(b"=") for each in variables)}


def _read_strings(descriptor: int) -> list[bytes]:
    """All of a file; each ends in a NUL."""
    pieces = []
    while piece := os.read(descriptor, _PIECE_BYTES):
        pieces.append(piece)
    os.close(descriptor)
    return b"".join(pieces).split(b"\0")[:-1]


def _load(name: str) -> "Any":
    """A script of ours that lies beside this one, where nobody inside can write."""
    folder = os.path.dirname(__file__)  # noqa: PTH120  # pathlib takes longer than all of this
    sys.path.insert(0, folder.removesuffix("/__pycache__"))  # where this one is when it is compiled
    try:
        return __import__(name)
    finally:
        del sys.path[0]


def _make_belt(orders: list[tuple[str, str]]) -> "Callable[[], None] | None":
    """What puts a process under Landlock. We stay outside: nobody under it can signal or trace us.

    Nor read us: what we hold open would be in /proc for everybody of the same user.
    """
    version = next((int(words) for name, words in orders if name == "landlock"), None)
    if version is None:
        return None
    landlock = _load("landlock")
    landlock.stay_unreadable()
    if version == 0:
        return None
    ruleset = landlock.make_ruleset(version, [words for name, words in orders if name == "write"])
    return lambda: landlock.enforce(ruleset)


def _for_the_probe(orders: list[tuple[str, str]]) -> dict[str, str]:
    """What it is told; a NUL parts the words of one name."""
    told: dict[str, str] = {}
    for name, words in orders:
        if name in _FOR_THE_PROBE:
            told[name] = f"{told[name]}\0{words}" if name in told else words
    return told


def _prove(
    control: "_socket.socket", told: dict[str, str], belt: "Callable[[], None] | None"
) -> None:
    """Try what must fail, in a child that is as the command will be; it tells the launcher."""
    attempts = _load("attempts")
    began = time.monotonic_ns()
    child = os.fork()
    if not child:
        try:
            outcomes = attempts.try_files(told)
            if belt is not None:
                belt()
            outcomes += attempts.try_everything(told)
            took = (time.monotonic_ns() - began) // 1000
            control.send(os.fsencode("\0".join((f"v{took}", *outcomes))))
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _make_terminal(control: "_socket.socket", streams: str) -> int | None:
    """A pseudo-terminal of the sandbox's own /dev; its master goes to the launcher."""
    if streams == "-":
        control.send(b"r")
        _await_order(control)
        return None
    import termios  # most commands have none

    master, slave = os.openpty()
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, master.to_bytes(4, sys.byteorder))
    control.sendmsg([b"p"], [rights])
    # The launcher sets size and modes before it lets us go on.
    _await_order(control)
    os.close(master)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        if str(descriptor) in streams:
            os.dup2(slave, descriptor)
    return slave


def _await_order(control: "_socket.socket") -> None:
    """Nothing runs before the launcher says so; if it is gone, nothing runs at all."""
    if _hear(control) != b"+":
        os._exit(_EXEC_FAILED)


def _hear(control: "_socket.socket") -> bytes:
    """What the launcher says next; nothing when it is gone, also with what we said unread."""
    try:
        return control.recv(_MESSAGE_BYTES)
    except ConnectionResetError:
        return b""


def _ignore_keys() -> list[int]:
    """Ignore for ourselves what keys send (SIGTTOU: what tcsetpgrp in the background does).

    Returns those that the command gets back: all that the caller had not ignored.
    """
    heeded = [number for number in _KEYS if signals.getsignal(number) != signals.SIG_IGN]
    for number in heeded:
        signals.signal(number, signals.SIG_IGN)
    return heeded


def _start(
    control: "_socket.socket",
    command: "_Command",
    foreground: int | None,
    reset: list[int],
    prepare: "Callable[[], list[_Rights]]",
) -> int:
    """Fork the command. `foreground` is the terminal whose foreground it takes, if it does."""
    child = os.fork()
    if child:
        try:
            os.setpgid(child, child)
        except OSError:  # it did so itself, and may be executing already
            return child
        return child
    try:
        os.setpgid(0, 0)
        if foreground is not None:
            os.tcsetpgrp(foreground, os.getpid())
        for number in reset:
            signals.signal(number, signals.SIG_DFL)
        control.sendmsg([b"s"], prepare())
        os.set_inheritable(control.fileno(), False)
        _close_all_but(control.fileno())
        execute(*command)
    except OSError as error:
        control.send(b"e%d" % (error.errno or 0))
    finally:
        os._exit(_EXEC_FAILED)


def execute(argv: list[bytes], environment: dict[bytes, bytes]) -> None:
    """As `os.execvpe` has it, which imports `warnings` first, and knows no scripts without `#!`.

    Raises OSError, or never returns.
    """
    if not argv[0]:  # execve(2) would find the folders of PATH, and Python takes no empty name
        raise FileNotFoundError(errno.ENOENT, "")
    if b"/" in argv[0]:
        _execute_file(argv[0], argv, environment)
    denied: OSError | None = None
    missing: OSError | None = None
    for folder in environment.get(b"PATH", os.defpath.encode()).split(b":"):
        try:
            _execute_file(os.path.join(folder, argv[0]), argv, environment)  # noqa: PTH118  # it takes longer
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except OSError as error:
            denied = denied or error
    problem = denied or missing
    assert problem is not None, "there is one folder at least"
    raise problem


def _execute_file(path: bytes, argv: list[bytes], environment: dict[bytes, bytes]) -> None:
    """A script that names no interpreter is the shell's, as execvp(3) and every shell have it."""
    try:
        os.execve(path, argv, environment)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    os.execve(b"/bin/sh", [b"/bin/sh", path, *argv[1:]], environment)


def _answered_outside(orders: list[tuple[str, str]]) -> "list[_Rights]":
    """What goes to the launcher with `s`: the listener of `notify=CALL PROGRAM`, if that is asked.

    In the command's own process: what it and its children are told (`notify`) is not for us.
    """
    words = next((words for name, words in orders if name == "notify"), None)
    if words is None:
        return []
    number, program = words.split()
    listener = _load("notify").listen(int(number), bytes.fromhex(program))
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, listener.to_bytes(4, sys.byteorder))]


def _limit(number: int, soft: int, hard: int) -> None:
    """Never above what the caller had: `ulimit` of a shell around us stays in force."""
    import resource

    most = resource.getrlimit(number)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(number, (soft, hard))


def _close_all_but(kept: int) -> None:
    """An open descriptor of ours inside the command would be a way around every check."""
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 20)


def _watch(control: "_socket.socket", child: int, terminal: int | None) -> None:
    while True:
        try:
            _, status = os.waitpid(child, os.WUNTRACED)
        except ChildProcessError:
            return
        if not os.WIFSTOPPED(status):
            control.send(b"x%d" % status)
            # The launcher drains the terminal and then ends the namespace; leaving first would
            # hang the terminal up under output that was not read yet.
            _hear(control)
            return
        control.send(b"t%d" % os.WSTOPSIG(status))
        order = _hear(control)
        if not order:
            return
        if terminal is not None:
            os.tcsetpgrp(terminal, child if order == b"g" else os.getpgrp())
        os.killpg(child, signals.SIGCONT)


if __name__ == "__main__":
    main()
