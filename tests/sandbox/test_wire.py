"""What a launcher and a gateway tell each other comes back as it was, and names nothing else."""

from __future__ import annotations

import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.environment import Row
from sandbox.errors import LaunchFailed
from sandbox.launch import CaptureSockets, Launch, Listeners
from sandbox.model import Exited, NotStarted, Signalled
from sandbox.plan import Access, Mount, Plan
from sandbox.streams import Streams
from sandbox.wire import Handle, pack, unpack

PLAN = Plan(
    mounts=(Mount(Access.READ, "/"), Mount(Access.HIDDEN, "/home/me/.ssh")),
    working_directory="/w",
    identities={"/w": (1, 2)},
)
LAUNCH = Launch(
    command=("echo", "\udcff", "", "ü"),
    environment={"A": "1", "@": "dict"},
    directory="/w",
    streams=Streams(terminals=(), path=None),
    plan=PLAN,
    machine="x86_64",
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda each: st.lists(each).map(tuple) | st.dictionaries(st.text(), each),
)


@pytest.mark.parametrize(
    "value",
    [
        LAUNCH,
        Exited(code=3),
        Signalled(signal=9),
        NotStarted(errno=2),
        ("build", {"said": ()}),
        (b"", b"\0\xff"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back(value: object) -> None:
    text, descriptors = pack(value)
    assert descriptors == []
    assert unpack(text, ()) == value


@given(PLAIN)
def test_plain_data_comes_back(value: object) -> None:
    assert unpack(*pack(value)) == value


def test_open_files_come_along() -> None:
    """As sockets where they were, in their places."""
    with socket.socket() as http, socket.socket() as socks, socket.socket() as captured:
        capture = CaptureSockets(tcp=(captured,), dns_udp=(), dns_tcp=())
        listeners = Listeners(http=http, socks=socks, capture=capture)
        text, descriptors = pack({"listeners": listeners, "init": Handle(0)})
        assert descriptors == [http.fileno(), socks.fileno(), captured.fileno(), 0]
        found = unpack(text, [os.dup(each) for each in descriptors])
        try:
            capture = found["listeners"].capture
            pairs = ((http, found["listeners"].http), (captured, capture.tcp[0]))
            for mine, theirs in pairs:
                assert os.path.sameopenfile(mine.fileno(), theirs.fileno())
        finally:
            found["listeners"].close()
            os.close(found["init"].fileno())


def test_what_is_not_listed_does_not_travel() -> None:
    with pytest.raises(TypeError, match="does not travel"):
        pack(Row(names=(), value="", read_by=""))
    with pytest.raises(AttributeError):
        pack(object())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        json.dumps({"@": "os:system", "command": "true"}),
        json.dumps({"@": "sandbox.linux.monitor:main"}),
        json.dumps({"@": "sandbox.launch:dataclass"}),
        json.dumps({"@": "sandbox.launch:Launch"}),
        json.dumps({"@": "sandbox.plan:Access", "value": "all"}),
        json.dumps({"@": "sandbox.model:Nothing"}),
        json.dumps({"@": "file", "of": 1}),
        json.dumps({"@": "dict", "of": 1}),
        json.dumps({"@": 1}),
        json.dumps({}),
    ],
)
def test_nothing_else_is_read_and_its_files_are_closed(text: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(LaunchFailed, match="a message that is none"):
        unpack(text.encode(), [writing])
    with pytest.raises(OSError, match="Bad file"):
        os.close(writing)
