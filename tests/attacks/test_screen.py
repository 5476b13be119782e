"""What the command did to the screen before a question, and how it may try to answer it itself.

The defences: half-written sequences are cancelled and redefined colours given back before a
question is shown; the command's terminal is not the one that the question is read from.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.at_terminal import Terminal
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def at_terminal(netproxy: Netproxy, script: str) -> Terminal:
    words = ("run", "--audit-dir", str(netproxy.audit), "--", sys.executable, "-I", "-c", script)
    return Terminal(
        netproxy.argv(*words), cwd=netproxy.workspace, environment=netproxy.environment()
    )


_ASK = """
import subprocess
subprocess.run(["curl", "-s", "http://asked.test/"])
"""


@pytest.mark.parametrize(
    ("written", "undone"),
    [
        ("\x1b]0;swallowed", b"\x18"),
        ("\x1bPswallowed", b"\x18"),
        ("\x1b]11;#ffffff\x07\x1b]10;#ffffff\x07", b"\x1b]111\x07"),
    ],
    ids=["title", "device string", "white on white"],
)
def test_no_question_disappears(netproxy: Netproxy, written: str, undone: bytes) -> None:
    script = f"import sys; sys.stdout.write({written!r}); sys.stdout.flush()\n{_ASK}"
    with at_terminal(netproxy, script) as terminal:
        terminal.see("left to answer")
        before, _, _ = terminal.screen.partition(b"netproxy asks")
        assert undone in before.partition(written.encode()[-4:])[2]


def test_the_command_can_not_answer_for_the_person(netproxy: Netproxy) -> None:
    """It types into every terminal that it has: its own, which is not the question's."""
    script = f"""
import fcntl, os, termios, threading, time
def type_all():
    time.sleep(1.2)
    for path in ("/dev/tty", "/proc/self/fd/0", *(f"/dev/pts/{{n}}" for n in range(8))):
        try:
            terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            continue
        for key in b"so":
            try:
                fcntl.ioctl(terminal, termios.TIOCSTI, bytes([key]))
            except OSError:
                pass
            os.write(terminal, bytes([key]))
            time.sleep(0.4)
threading.Thread(target=type_all, daemon=True).start()
{_ASK}
"""
    with at_terminal(netproxy, script) as terminal:
        terminal.see("left to answer")
        time.sleep(3)
        terminal.press("d")
        assert terminal.wait() == 77
    (decision,) = netproxy.decisions()
    assert decision["network.policy.reason"] == "denied_by_reviewer"
