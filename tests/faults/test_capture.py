"""A kernel that can't capture connections: the run goes on without, or not at all, and says so.

A helper that is killed while it sets capture up is neither: nothing is known, and nothing runs.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_gateway_killed import (
    assert_nothing_is_left,
    processes,
    seen_on_the_machine,
    wait_for,
)
from tests.support.runs import NETPROXY, Done, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# A filter that knows of no NETLINK_NETFILTER socket, as a kernel without nfnetlink, or one that
# kills whoever asks for one; inherited by whatever is executed.
_WITHOUT = """
import ctypes, os, struct, sys
number, allow, refuse = int(sys.argv[1]), 0x7fff0000, int(sys.argv[2])
rows = ((0x20, 0, 0, 0), (0x15, 0, 4, number), (0x20, 0, 0, 16), (0x15, 0, 2, 16),
        (0x20, 0, 0, 32), (0x15, 1, 0, 12), (6, 0, 0, allow), (6, 0, 0, refuse))
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
told = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(program)))
kernel = ctypes.CDLL(None, use_errno=True)
assert kernel.prctl(38, 1, 0, 0, 0) == 0 and kernel.prctl(22, 2, told) == 0
os.execv(sys.argv[3], sys.argv[3:])
"""
_NO_SUCH_PROTOCOL, _KILL = 0x00050000 | 93, 0x80000000  # linux/seccomp.h; EPROTONOSUPPORT
_SOCKET = {"x86_64": "41", "aarch64": "198"}
_PLAIN = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"


def run(netproxy: Netproxy, *options: str, answer: int = _NO_SUCH_PROTOCOL) -> Done:
    argv = [sys.executable, "-I", "-c", _WITHOUT, _SOCKET[platform.machine()], str(answer)]
    argv += NETPROXY
    argv += ["run", "--audit-dir", str(netproxy.audit), "--ask", "never", *options, "--"]
    done = subprocess.run(
        [*argv, "python3", "-I", "-c", _PLAIN],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
    )
    return Done(status=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def test_the_command_runs_and_the_record_says_what_is_missing(netproxy: Netproxy) -> None:
    done = run(netproxy)

    assert "Network is unreachable" in done.err
    assert "netproxy run:" not in done.err, "the fence is whole: nothing to warn of at each run"
    (started,) = netproxy.events("netproxy.run.started")
    assert (
        started["sandbox.capture"]
        == "off: the kernel has no netlink for it: Protocol not supported"
    )


def test_a_run_that_needs_it_does_not_begin(netproxy: Netproxy) -> None:
    done = run(netproxy, "--capture", "only")

    assert done.status == 125
    assert (
        "connections can't be captured: the kernel has no netlink for it: Protocol not supported"
        in done.err
    )
    assert "sudo modprobe -a nf_tables" in done.err
    assert netproxy.events("netproxy.run.started") == []


@pytest.mark.parametrize("capture", ["auto", "only"])
def test_a_helper_that_is_killed_midway_ends_the_run(netproxy: Netproxy, capture: str) -> None:
    """It has listened, and was about to ask for the rules: how far it came, nobody knows."""
    before = seen_on_the_machine(netproxy)
    done = run(netproxy, "--capture", capture, answer=_KILL)

    assert (done.status, done.out) == (125, "")
    assert done.err == (
        "netproxy run: the command could not be run: the helper could not capture connections "
        "inside the sandbox: it ended without a word\n"
    )
    assert netproxy.events("netproxy.run.started") == []
    # bwrap is told of the workspace.
    wait_for(lambda: not processes(str(netproxy.workspace)))
    assert_nothing_is_left(netproxy, before)
