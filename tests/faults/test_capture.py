"""A kernel that can't capture connections: the run goes on without, or not at all, and says so."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import NETPROXY, Done, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# A filter that knows of no NETLINK_NETFILTER socket, as a kernel without nfnetlink; inherited by
# whatever is executed.
_WITHOUT = """
import ctypes, os, struct, sys
number, allow, refuse = int(sys.argv[1]), 0x7fff0000, 0x00050000 | 93  # EPROTONOSUPPORT
rows = ((0x20, 0, 0, 0), (0x15, 0, 4, number), (0x20, 0, 0, 16), (0x15, 0, 2, 16),
        (0x20, 0, 0, 32), (0x15, 1, 0, 12), (6, 0, 0, allow), (6, 0, 0, refuse))
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
told = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(program)))
kernel = ctypes.CDLL(None, use_errno=True)
assert kernel.prctl(38, 1, 0, 0, 0) == 0 and kernel.prctl(22, 2, told) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""
_SOCKET = {"x86_64": "41", "aarch64": "198"}
_PLAIN = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"


def run(netproxy: Netproxy, *options: str) -> Done:
    argv = [sys.executable, "-I", "-c", _WITHOUT, _SOCKET[platform.machine()], *NETPROXY]
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
