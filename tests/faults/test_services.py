"""What services across the fence depend on is taken away: nothing stays open, nothing is left."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

from tests.support.crossing import fetched, free_port, helper_of, said_until, serving
from tests.support.proxies import eventually
from tests.support.runs import PATIENCE_SECONDS, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

_CONNECTION_RESET = (7, 56)  # curl's: while it connects, and later


def test_without_the_helper_nobody_is_let_in_and_the_command_goes_on(
    me: Person, base: Path
) -> None:
    netproxy, port = Netproxy(me, base), free_port()
    code = "import sys\nprint('serving', flush=True)\nsys.stdin.read()\n"
    with serving(netproxy, "--expose", f"8080:{port}", code=code) as running:
        said_until(running, "serving")
        os.kill(helper_of(running), signal.SIGKILL)
        status, page = fetched(me, port)
        assert (status in _CONNECTION_RESET, page) == (True, "")
        _, said = running.communicate(timeout=PATIENCE_SECONDS)
        assert (running.returncode, said) == (0, "")
    (refused,) = netproxy.events("netproxy.expose.refused")
    assert refused["error.type"] == "connection_terminated"


def test_nothing_is_left_of_a_run_that_was_killed(me: Person, base: Path) -> None:
    netproxy, port = Netproxy(me, base), free_port()
    with serving(netproxy, "--expose", f"8080:{port}") as running:
        said_until(running, "serving")
        helper = helper_of(running)
        assert os.getsid(helper) == helper, "of no terminal: Ctrl-C is for the command"
        os.kill(running.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(helper))
        with socket.create_server(("127.0.0.1", port)):
            """Nobody listens there any more."""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
