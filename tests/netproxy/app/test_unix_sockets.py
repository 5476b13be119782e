"""Unix sockets of this host that a command may use: which are pinned, and what is said of them."""

from __future__ import annotations

import asyncio
import os
import socket
from io import FileIO
from typing import TYPE_CHECKING

import pytest

from netproxy.app.listening import ListenRefused
from netproxy.app.unix_sockets import brokered, pinned_sockets, refusals, warnings
from otel.events import Event, UnixRefused

if TYPE_CHECKING:
    from pathlib import Path


class FakeServer:
    def __init__(self) -> None:
        self.noted: list[Event] = []

    def note(self, event: Event) -> None:
        self.noted.append(event)


def test_a_socket_is_pinned_as_the_file_that_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        found = path.stat()
        with pinned_sockets((str(path),), tmp_path / "absent") as places:
            path.unlink()
            assert os.fstat(places[str(path)]).st_ino == found.st_ino
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(places[str(path)])


def test_what_is_no_socket_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in (("file", "is no socket"), ("absent", "no such file or directory")):
        with (
            pytest.raises(ListenRefused, match=f"^--unix {tmp_path / path}: {why}$"),
            pinned_sockets((str(tmp_path / path),), tmp_path / "own"),
        ):
            pytest.fail("there is none")


def test_a_gateways_own_socket_is_never_pinned(tmp_path: Path) -> None:
    """Under whatever name: who is connected by the gateway would pass for a reviewer."""
    own = tmp_path / "own"
    own.mkdir()
    path, link, name = own / "control.sock", tmp_path / "link", tmp_path / "name"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        link.symlink_to(path)
        name.hardlink_to(path)
        for each in (path, link, name):
            with (
                pytest.raises(ListenRefused, match="which answers no command"),
                pinned_sockets((str(each),), own),
            ):
                pytest.fail("it is the gateway's")


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/var/run/docker.sock", "Docker"),
        ("/run/user/1000/podman/podman.sock", "Podman"),
        ("/run/containerd/containerd.sock", "containerd"),
        ("/run/user/1000/bus", "D-Bus"),
        ("/run/dbus/system_bus_socket", "D-Bus"),
        ("/run/systemd/private", "systemd"),
        ("/tmp/ssh-x/agent.17", "an SSH agent"),
        ("/run/user/1000/keyring/control", "the keyring"),
    ],
)
def test_a_way_out_of_the_sandbox_is_called_one(path: str, what: str) -> None:
    assert list(warnings((path, "/run/postgresql/.s.PGSQL.5432"))) == [
        f"--unix {path}: that is {what}, through which the command can act outside of the sandbox"
    ]


def test_nothing_is_brokered_unless_asked_for() -> None:
    with brokered(FakeServer(), None, {}, "x86_64"):  # type: ignore[arg-type]  # not used
        """No loop is needed."""


def test_a_path_is_refused_once_on_record() -> None:
    server = FakeServer()
    refused = refusals(server)  # type: ignore[arg-type]  # what it uses of one
    for path in ("/a", "/a", *(f"/{number}" for number in range(200))):
        refused(path)

    assert server.noted[0] == UnixRefused(path="/a", reason="unix_socket_unsupported")
    assert len(server.noted) == 100


def test_the_listener_is_closed_at_the_end() -> None:
    async def served() -> None:
        reader, writer = os.pipe()
        os.close(writer)
        with FileIO(reader) as calls:
            with brokered(FakeServer(), calls, {}, "x86_64"):  # type: ignore[arg-type]  # of one
                assert not calls.closed
            assert calls.closed

    asyncio.run(served())
