"""A command that was given one unix socket of this host tries to get at all the others.

Real listeners in the places where desktops and daemons have theirs, made before and while it runs,
of all three types; and ways to have the broker judge one thing and do another.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.support.crossing import said_until, serving
from tests.support.runs import PATIENCE_SECONDS, Netproxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

# Below the folder of the test: a home and a /run of their own would need root.
PLACES = (
    "run/user/bus", "run/systemd/private", "run/docker.sock", "run/podman/podman.sock",
    "tmp/ssh-x/agent.17", "tmp/.X11-unix/X0", "run/user/wayland-0", "run/user/keyring/control",
)  # fmt: skip
ATTEMPTS = """
import errno, os, socket, sys, threading, time
given, folder, *places = sys.argv[1:]
kinds = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
def tried(act, *arguments):
    try:
        act(*arguments)
    except OSError:
        return False
    return True
def connects(kind, address):
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.connect(address)
def sends(kind, address):
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.sendto(b"x", address)
def gets_in(address):
    return [k for k in kinds if tried(connects, k, address) or tried(sends, k, address)]
print("given", tried(connects, socket.SOCK_STREAM, given))
print("serving", flush=True)
sys.stdin.read()
for place in places:
    if found := gets_in(place):
        print("reached", place, found)
link = os.path.join(os.getcwd(), "link")
os.symlink(places[0], link)
os.chdir(os.path.dirname(given))
print("others", [
    address for address in (
        link, os.path.basename(given), given + "/", "/" + given, given + "/../" + "s",
        os.path.dirname(given) + "/./" + os.path.basename(given), b"\\0" + given.encode(),
        "/proc/self/root" + given, "/proc/self/cwd/" + os.path.basename(given),
    ) if gets_in(address)
])
def bound(address):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(address)
print("bound", tried(bound, link + "2"), tried(bound, b"\\0x"))
ends = socket.socketpair()
print("descriptors", tried(connects, socket.SOCK_STREAM, given))
with socket.socket(socket.AF_UNIX) as s:
    s.connect(given)
    print("peer", s.getsockopt(socket.SOL_SOCKET, 17, 12)[:4] == bytes(4),
          tried(s.getsockopt, socket.SOL_SOCKET, 77), tried(s.setsockopt, socket.SOL_SOCKET, 76, 1))
    import fcntl
    print("interfaces", tried(fcntl.ioctl, s, 0x8912, bytes(16)), tried(fcntl.ioctl, s, 0x894C))
    socket.send_fds(s, [b"fd"], [0])
# One thread says where to while another changes it.
import ctypes
libc = ctypes.CDLL(None)
def address_of(path):
    return (b"\\x01\\0" + path.encode()).ljust(110, b"\\0")
memory = ctypes.create_string_buffer(address_of(given), 110)
over = False
def flip():
    while not over:
        ctypes.memmove(memory, address_of(places[0]), 110)
        ctypes.memmove(memory, address_of(given), 110)
thread = threading.Thread(target=flip)
thread.start()
outcomes = set()
for _ in range(60):
    with socket.socket(socket.AF_UNIX) as s:
        outcomes.add(libc.connect(s.fileno(), memory, 110))
over = True
thread.join()
# And while another puts a socket of another kind at its number.
over = False
spare, other = socket.socket(), socket.socket(socket.AF_UNIX)
number = os.dup(other.fileno())
def swap():
    while not over:
        os.dup2(spare.fileno(), number)
        os.dup2(other.fileno(), number)
thread = threading.Thread(target=swap)
thread.start()
for _ in range(60):
    libc.connect(number, address_of(places[0]), 110)
over = True
thread.join()
print("over")
"""


@contextmanager
def listening(paths: list[Path], got: list[socket.socket]) -> Iterator[None]:
    """A socket of each type beside each other: path, path.d, path.p."""
    kinds = {"": socket.SOCK_STREAM, ".d": socket.SOCK_DGRAM, ".p": socket.SOCK_SEQPACKET}
    with ExitStack() as opened:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            for suffix, kind in kinds.items():
                server = opened.enter_context(socket.socket(socket.AF_UNIX, kind))
                place = path.with_name(path.name + suffix)
                server.bind(str(place))
                place.chmod(0o777)
                server.setblocking(False)
                if kind != socket.SOCK_DGRAM:
                    server.listen()
                got.append(server)
        yield


def was_reached(server: socket.socket) -> bool:
    try:
        if server.type == socket.SOCK_DGRAM:
            server.recv(1)
        else:
            server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_one_socket_is_one_socket(person: Person, base: Path) -> None:
    netproxy, servers = Netproxy(person, base), list[socket.socket]()
    places = [base / place for place in PLACES]
    with socket.socket(socket.AF_UNIX) as given, ExitStack() as later:
        given.bind(str(base / "s"))
        given.listen(200)
        (base / "s").chmod(0o777)
        half = len(places) // 2
        later.enter_context(listening(places[:half], servers))
        suffixed = [f"{place}{suffix}" for place in places for suffix in ("", ".d", ".p")]
        words = (str(base / "s"), str(base), *suffixed)
        with serving(
            netproxy, "--ask", "never", "--unix", str(base / "s"), code=ATTEMPTS, words=words
        ) as running:
            assert said_until(running, "serving") == ["given True", "serving"]
            later.enter_context(listening(places[half:], servers))
            out, err = running.communicate("", timeout=PATIENCE_SECONDS)
        assert out.splitlines() == [
            "others []", "bound False False", "descriptors True", "peer True False False",
            "interfaces False False", "over",
        ], (out, err)  # fmt: skip
        assert not any(was_reached(server) for server in servers)
        given.setblocking(False)
        assert no_descriptor_came(given)
    refused = {each["netproxy.unix.path"] for each in netproxy.events("netproxy.unix.refused")}
    assert set(suffixed) <= refused
    assert {each["netproxy.unix.path"] for each in netproxy.events("netproxy.unix.opened")} == {
        str(base / "s")
    }


def no_descriptor_came(given: socket.socket) -> bool:
    """Bytes pass, and nothing beside them."""
    heard = []
    while True:
        try:
            accepted, _ = given.accept()
        except BlockingIOError:
            break
        with accepted:
            accepted.setblocking(True)
            data, descriptors, _, _ = socket.recv_fds(accepted, 9, 9)
            heard.append(data)
            if descriptors:
                return False
    return b"fd" in heard


def test_what_lies_at_the_path_later_is_not_what_was_given(me: Person, base: Path) -> None:
    """The command may write the folder: it puts a link to another socket in place of its own."""
    netproxy = Netproxy(me, base)
    mine, other = netproxy.workspace / "s", base / "other"
    code = (
        "import os, socket, sys\n"
        "os.rename(sys.argv[1], 'moved'); os.symlink(sys.argv[2], sys.argv[1])\n"
        "with socket.socket(socket.AF_UNIX) as s:\n"
        "    s.connect(sys.argv[1])\n"
    )
    with socket.socket(socket.AF_UNIX) as given, socket.socket(socket.AF_UNIX) as beside:
        for server, path in ((given, mine), (beside, other)):
            server.bind(str(path))
            server.listen()
            server.setblocking(False)
        done = netproxy.run(
            *("--unix", str(mine)),
            command=[sys.executable, "-c", code, str(mine), str(other)],
        )
        assert done.status == 0, done.err
        given.accept()[0].close()
        assert not was_reached(beside)
