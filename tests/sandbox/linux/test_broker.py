"""The broker, for a real process with the real filter: what it connects, and how it says no."""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support import brokered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        yield listening


@pytest.fixture
def place(server: socket.socket) -> Iterator[int]:
    descriptor = os.open(server.getsockname(), os.O_PATH)
    yield descriptor
    os.close(descriptor)


def test_a_path_that_was_given_is_connected_to_that_socket(
    server: socket.socket, place: int, tmp_path: Path
) -> None:
    """The file of the start. The command's descriptor keeps its number and its flags."""
    (tmp_path / "s").rename(tmp_path / "elsewhere")
    code = """
s = socket.socket(socket.AF_UNIX)
number = s.fileno()
said["connect"] = tried(s.connect, "/given")
said["number"] = number == s.fileno()
said["flags"] = [os.get_inheritable(s.fileno()), os.get_blocking(s.fileno())]
s.sendall(b"ping")
said["heard"] = s.recv(9).decode()
said["again"] = tried(s.connect, "/given")
t = socket.socket(socket.AF_UNIX)
t.setblocking(False)
t.set_inheritable(True)
said["second"] = tried(t.connect, "/given")
said["its flags"] = [os.get_inheritable(t.fileno()), os.get_blocking(t.fileno())]
"""

    def relayed(ours: socket.socket, far: socket.socket) -> None:
        far.setblocking(True)
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"pong")
            ours.sendall(far.recv(4))

    done = brokered.run(code, {"/given": place}, when_linked=relayed)

    assert done.said == {
        "connect": 0,
        "number": True,
        "flags": [False, True],
        "heard": "pong",
        "again": errno.EISCONN,
        "second": 0,
        "its flags": [True, False],
    }
    assert [path for path, _, _ in done.linked] == ["/given", "/given"]
    assert done.refused == []
    done.close()


def test_every_other_socket_is_refused(place: int) -> None:
    code = """
def asked(kind, act, address):
    with socket.socket(socket.AF_UNIX, kind) as s:
        return tried(getattr(s, act), address)
stream, datagram, packets = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
for name, kind, act, address in (
    ("another path", stream, "connect", "/run/other"),
    ("a longer path", stream, "connect", "/given/../given"),
    ("a shorter path", stream, "connect", "given"),
    ("an abstract name", stream, "connect", b"\\0/given"),
    ("datagrams", datagram, "connect", "/given"),
    ("packets", packets, "connect", "/given"),
    ("a bind", stream, "bind", "/given"),
    ("an abstract bind", stream, "bind", b"\\0x"),
):
    said[name] = asked(kind, act, address)
"""
    done = brokered.run(code, {"/given": place})

    assert set(done.said.values()) == {errno.EACCES}
    assert len(done.said) == 8
    assert done.refused == [
        "/run/other", "/given/../given", "given", "no path",
        "/given", "/given", "/given", "no path",
    ]  # fmt: skip
    assert done.linked == []


def test_what_is_no_call_for_a_socket_fails_as_ever(place: int) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def raw(fd, address, length):
    return 0 if libc.connect(fd, address, length) == 0 else ctypes.get_errno()
s = socket.socket(socket.AF_UNIX)
said["no descriptor"] = raw(99, b"\\x01\\0/given\\0", 9)
said["no socket"] = raw(1, b"\\x01\\0/given\\0", 9)
said["no memory"] = raw(s.fileno(), ctypes.c_void_p(16), 9)
said["too long"] = raw(s.fileno(), b"\\x01\\0" + b"x" * 200, 202)
said["nothing"] = raw(s.fileno(), b"", 0)
"""
    done = brokered.run(code, {"/given": place})

    assert done.said == {
        "no descriptor": errno.EBADF,
        "no socket": errno.ENOTSOCK,
        "no memory": errno.EFAULT,
        "too long": errno.EINVAL,
        "nothing": errno.EACCES,
    }


def test_a_server_that_is_gone_is_told_as_the_kernel_would(
    server: socket.socket, place: int
) -> None:
    server.close()
    done = brokered.run(
        's = socket.socket(socket.AF_UNIX)\nsaid["gone"] = tried(s.connect, "/given")\n',
        {"/given": place},
    )
    assert done.said == {"gone": errno.ECONNREFUSED}
    assert done.linked == []


def test_a_server_without_room_is_waited_for_where_the_socket_blocks(
    server: socket.socket, place: int
) -> None:
    """As unix(7) sockets do by themselves."""
    server.listen(0)
    with socket.create_server(("127.0.0.1", 0)) as bell:

        def accepts_when_told() -> None:
            bell.accept()[0].close()
            server.accept()[0].close()

        thread = threading.Thread(target=accepts_when_told)
        thread.start()
        code = f"""
first, second, third = [socket.socket(socket.AF_UNIX) for _ in range(3)]
said["room"] = tried(first.connect, "/given")
second.setblocking(False)
said["not blocking"] = tried(second.connect, "/given")
second.setblocking(True)
second.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (1).to_bytes(8, sys.byteorder) + bytes(8))
said["limited"] = tried(second.connect, "/given")
thread = threading.Thread(target=lambda: said.update(blocking=tried(third.connect, "/given")))
thread.start()
time.sleep(0.2)
said["waits"] = thread.is_alive()
socket.create_connection({bell.getsockname()!r}).close()
thread.join()
"""
        done = brokered.run(code, {"/given": place})
        thread.join()
    assert done.said == {
        "room": 0,
        "not blocking": errno.EAGAIN,
        "limited": errno.EAGAIN,
        "waits": True,
        "blocking": 0,
    }
    assert len(done.linked) == 2
    done.close()


def test_internet_sockets_work_as_ever() -> None:
    """But for ports that need a privilege: in the command's network the broker would have it."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port, closed = listening.getsockname()[1], unused.getsockname()[1]
        code = f"""
import select
with socket.socket() as s:
    said["blocking"] = tried(s.connect, ("127.0.0.1", {port}))
    said["peer"] = s.getpeername()[1] == {port}
with socket.socket() as s:
    s.setblocking(False)
    said["begun"] = tried(s.connect, ("127.0.0.1", {port})) in (0, 115)
    select.select([], [s], [], 5)
    said["finished"] = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
with socket.socket() as s:
    said["refused"] = tried(s.connect, ("127.0.0.1", {closed}))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    said["udp"] = tried(s.connect, ("127.0.0.1", {port}))
with socket.socket() as s:
    said["bound"] = tried(s.bind, ("127.0.0.1", 0))
    said["twice"] = tried(s.bind, ("127.0.0.1", 0))
with socket.socket() as s:
    said["privileged"] = tried(s.bind, ("127.0.0.1", 80))
"""
        done = brokered.run(code)
    assert done.said == {
        "blocking": 0,
        "peer": True,
        "begun": True,
        "finished": 0,
        "refused": errno.ECONNREFUSED,
        "udp": 0,
        "bound": 0,
        "twice": errno.EINVAL,
        "privileged": errno.EACCES,
    }


def test_the_kernel_may_be_asked_and_nobody_else_over_netlink() -> None:
    code = """
def asked(act, address):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        return tried(getattr(s, act), address)
said["bind"] = asked("bind", (0, 0))
said["connect"] = asked("connect", (0, 0))
said["groups"] = asked("bind", (0, 1))
said["a peer"] = asked("connect", (4711, 0))
"""
    done = brokered.run(code)

    assert done.said == {"bind": 0, "connect": 0, "groups": errno.EPERM, "a peer": errno.EPERM}


def test_one_that_waits_holds_up_nobody_and_ends_with_the_broker() -> None:
    """A listener whose queue is full: a connect to it waits for minutes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        queued = socket.create_connection(address)
        code = f"""
waits = socket.socket()
thread = threading.Thread(target=lambda: said.update(waited=tried(waits.connect, {address!r})))
thread.start()
time.sleep(0.1)
with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as s:
    said["other"] = tried(s.connect, other.getsockname())
with socket.socket(socket.AF_UNIX) as s:
    said["last"] = tried(s.connect, "/the/last")
thread.join()
"""
        done = brokered.run(code, closes_when_refused=True)
        queued.close()
    assert done.said == {"other": 0, "last": errno.ENOSYS, "waited": errno.ENOSYS}


def test_nor_does_one_that_blocks_only_after_it_was_looked_at() -> None:
    """Another process of the command's changes that all the time, for ten of them."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        queued = socket.create_connection(address)
        code = f"""
import fcntl, struct
waiting = [socket.socket() for _ in range(10)]
flags = fcntl.fcntl(waiting[0], fcntl.F_GETFL)
changes = os.fork()
while not changes:
    for each in waiting:
        for more in 0, os.O_NONBLOCK:
            fcntl.fcntl(each, fcntl.F_SETFL, flags | more)
where = struct.pack("=H", 2) + struct.pack("!H", {address[1]}) + bytes((127, 0, 0, 1)) + bytes(8)
over = []
def tries(each):
    while not over:
        for name in where, bytes(16):
            ctypes.CDLL(None).connect(each.fileno(), name, 16)
def ends():
    time.sleep(4)
    over.append(True)
    for each in waiting:
        tried(each.shutdown, 2)
for each in waiting:
    threading.Thread(target=tries, args=(each,), daemon=True).start()
threading.Thread(target=ends, daemon=True).start()
worst = 0
for _ in range(40):
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX) as s:
        tried(s.connect, "/not/given")
    worst = max(worst, time.monotonic() - began)
    time.sleep(0.02)
over.append(True)
os.kill(changes, 9)
os.waitpid(changes, 0)
said["held up"] = worst > 2
for each in waiting:
    tried(each.shutdown, 2)
"""
        done = brokered.run(code)
        queued.close()
    assert done.said == {"held up": False}


def _has_thread_handles() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid(), os.O_EXCL))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_thread_handles(), reason="Linux 6.9 has handles of threads")
def test_a_thread_is_answered_whose_process_has_no_first_one_any_more() -> None:
    """Legal, as pthread_exit(3) in main; and one whose files are its own alone."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code = f"""
import ctypes
main = threading.main_thread().native_id
def connected():
    with socket.socket() as s:
        return tried(s.connect, {listening.getsockname()!r})
def goes_on():
    while open(f"/proc/{{main}}/stat").read().rpartition(") ")[2][0] != "Z":
        time.sleep(0.01)
    said["without the first"] = connected()
    os.unshare(os.CLONE_FILES)
    said["own files"] = connected()
    print(json.dumps(said), flush=True)
    os._exit(0)
threading.Thread(target=goes_on).start()
ctypes.CDLL(None).pthread_exit(None)
"""
        done = brokered.run(code)
    assert done.said == {"without the first": 0, "own files": 0}
