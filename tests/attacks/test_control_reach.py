"""A command wants to answer its own question: it looks for a gateway's control socket.

Defence: the folder of control sockets is hidden from commands, and made before one starts, so that
a socket which comes later is hidden, too.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person

# Waits until the socket is there, outside; then tries every way to it that has a name.
CLIENT = """
import os, pathlib, socket, sys, time
folder = pathlib.Path(sys.argv[1])
print("started", flush=True)
for _ in range(2000):
    if pathlib.Path("go").exists(): break
    time.sleep(0.02)
for root in ("", "/proc/1/root", "/proc/self/root"):
    path = f"{root}{folder}/control.sock"
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except OSError as error:
        print(type(error).__name__)
    else:
        print("CONNECTED")
try:
    print(sorted(os.listdir(folder)))
    (folder / "control-x.sock").write_text("mine")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("where", ["runtime", "state"])
@pytest.mark.parametrize("when", ["before", "later"])
def test_no_command_reaches_a_control_socket(me: Person, base: Path, where: str, when: str) -> None:
    netproxy = Netproxy(me, base)
    runtime = me.home / "runtime"
    runtime.mkdir(mode=0o700)
    if where == "runtime":
        environment, folder = {"XDG_RUNTIME_DIR": str(runtime)}, runtime / "netproxy"
    else:
        if Path(f"/run/user/{me.uid}").exists():
            pytest.skip("this user has a runtime folder, which is not a test's to write in")
        environment, folder = {}, netproxy.state / "netproxy" / "control"

    def listen(stack: ExitStack) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        (folder / "control.sock").unlink(missing_ok=True)
        listener.bind(str(folder / "control.sock"))
        listener.listen()

    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    argv = netproxy.argv(*words, sys.executable, "-I", "-c", CLIENT, str(folder))
    with ExitStack() as stack:
        if when == "before":
            listen(stack)
        running = stack.enter_context(
            subprocess.Popen(
                argv,
                cwd=netproxy.workspace,
                env=netproxy.environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert running.stdout is not None
        assert running.stdout.readline() == "started\n"
        if when == "later":
            listen(stack)
        (netproxy.workspace / "go").touch()
        out, err = running.communicate(timeout=60)
    assert "CONNECTED" not in out, err
    *ways, found = out.splitlines()[:4]
    assert len(ways) == 3
    assert found in {"[]", "FileNotFoundError", "PermissionError"}
    assert not (folder / "control-x.sock").exists()
