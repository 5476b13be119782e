"""Inside is where the kernel says so, in every respect; a variable says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.inside import has_listener, is_confined, is_inside, is_lonely

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """\
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
"""
DEVICES = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo:       0       0    0    0    0     0          0         0        0       0    0
"""
SOCKETS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:0C38 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 0100007F:0438 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """What a command in a fence sees."""
    (tmp_path / "self/net").mkdir(parents=True)
    (tmp_path / "1").mkdir()
    (tmp_path / "self/status").write_text(STATUS)
    (tmp_path / "self/net/dev").write_text(DEVICES)
    (tmp_path / "self/net/tcp").write_text(SOCKETS)
    return tmp_path


def test_all_of_it_together_is_inside(proc: Path) -> None:
    assert is_inside(proc)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("self/status", STATUS.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0")),
        ("self/net/dev", DEVICES + "  eth0: 0 0\n"),
        ("self/net/tcp", ""),
        ("1/status", "Name: bwrap"),
    ],
)
def test_with_one_thing_missing_it_is_not(proc: Path, file: str, text: str) -> None:
    (proc / file).write_text(text)
    assert not is_inside(proc)


@pytest.mark.parametrize("file", ["self/status", "self/net/dev", "self/net/tcp"])
def test_what_can_not_be_read_is_no_proof(proc: Path, file: str) -> None:
    (proc / file).unlink()
    assert not is_inside(proc)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CapPrm:\t0", "CapPrm:\t1"), ("CapEff:\t0", "CapEff:\t8"), ("CapBnd:\t0", "CapBnd:\tf"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0"), ("Seccomp:\t2", "Seccomp:\t0"),
        ("Seccomp:\t2", "Seccomp:\t1"), ("CapBnd", "CapAmb"),
    ],
)  # fmt: skip
def test_whoever_can_get_more_is_not_confined(old: str, new: str) -> None:
    assert is_confined(STATUS)
    assert not is_confined(STATUS.replace(old, new))


def test_alone_is_with_the_loopback_only() -> None:
    assert is_lonely(DEVICES)
    assert not is_lonely(DEVICES.replace("lo:", "eth0:"))
    assert not is_lonely(DEVICES + " wlan0: 0\n")
    assert not is_lonely("")


@pytest.mark.parametrize(
    ("old", "new"), [("0100007F:0C38", "0100007F:0C39"), ("0A 0", "01 0"), ("0100007F", "00000000")]
)
def test_another_socket_is_not_the_gateways(old: str, new: str) -> None:
    assert has_listener(SOCKETS)
    assert not has_listener(SOCKETS.replace(old, new))
