"""One folder for this user alone; several gateways in it side by side; what died is taken away."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from pathlib import Path

import pytest

from netproxy.app import control_socket
from netproxy.app.control_socket import (
    FIRST,
    ControlRefused,
    connect,
    control_folder,
    control_of,
    control_sockets,
    open_control,
)
from netproxy.app.settings import Ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "netproxy"


def abandoned(path: Path) -> None:
    """What a killed gateway leaves."""
    folder = os.open(path.parent, os.O_PATH)
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"/proc/self/fd/{folder}/{path.name}")  # as short as an address has to be
    left.close()
    os.close(folder)


def test_it_is_for_its_user_alone_and_gone_afterwards(folder: Path) -> None:
    control = open_control(folder)
    assert control.path == folder / FIRST
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(control.path.stat().st_mode) == 0o600
    assert not control.listener.get_inheritable()
    with connect(folder, FIRST, 1) as client:
        client.sendall(b"x")
    control.close()
    assert list(folder.iterdir()) == []


def test_several_gateways_live_side_by_side(folder: Path) -> None:
    first, second, third = (open_control(folder) for _ in range(3))
    names = control_sockets(folder)
    assert names[0] == FIRST
    assert len(set(names)) == 3
    first.close()
    assert FIRST not in control_sockets(folder)
    fourth = open_control(folder)
    assert fourth.path.name == FIRST
    for each in (second, third, fourth):
        each.close()
    assert control_sockets(folder) == ()


def test_the_folder_is_locked_no_longer_than_it_takes(folder: Path) -> None:
    """What else keeps its files there has locks of its own."""
    control = open_control(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    control.close()


def test_nobody_is_knocked_on_to_see_whether_they_live(folder: Path) -> None:
    """A gateway imports all that it serves with at its first client."""
    first = open_control(folder)
    second = open_control(folder)
    with pytest.raises(BlockingIOError):
        first.listener.accept()
    first.close()
    second.close()


def test_what_a_killed_gateway_left_is_replaced(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    abandoned(folder / FIRST)
    abandoned(folder / "control-0123456789ab.sock")
    (folder / "notes").touch()
    control = open_control(folder)
    assert control.path.name == FIRST
    assert control_sockets(folder) == (FIRST,)
    control.close()
    assert [each.name for each in folder.iterdir()] == ["notes"]


def test_a_name_that_was_taken_over_is_left_alone(folder: Path) -> None:
    control = open_control(folder)
    control.path.unlink()
    abandoned(control.path)
    control.close()
    assert (folder / FIRST).exists()


def test_who_holds_the_lock_keeps_nobody_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(control_socket, "_lock", lambda _: False)
    control = open_control(folder)
    assert control.path.name != FIRST
    control.close()


def test_a_path_that_is_too_long_for_an_address_works_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / "netproxy"
    deep.parent.mkdir()
    control = open_control(deep)
    with connect(deep, FIRST, 1):
        connection, _ = control.listener.accept()
        connection.close()
    again = open_control(deep)
    assert len(control_sockets(deep)) == 2
    control.close()
    again.close()
    assert control_sockets(deep) == ()


def test_a_folder_that_others_may_use_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    with pytest.raises(ControlRefused, match="chmod 700"):
        open_control(folder)
    with pytest.raises(ControlRefused, match="chmod 700"):
        control_sockets(folder)


def test_a_link_or_a_file_in_its_place_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.parent.mkdir()
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    folder.symlink_to(real)
    with pytest.raises(ControlRefused):
        open_control(folder)
    folder.unlink()
    folder.touch()
    with pytest.raises(ControlRefused):
        open_control(folder)
    assert list(real.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another")
def test_somebody_elses_folder_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    os.chown(folder, 12345, 12345)
    with pytest.raises(ControlRefused, match="belongs to user 12345"):
        open_control(folder)
    with pytest.raises(ControlRefused, match="belongs to user 12345"):
        connect(folder, FIRST, 1)


def test_a_folder_that_cannot_be_made_is_said() -> None:
    with pytest.raises(ControlRefused, match="/proc/nowhere"):
        open_control(Path("/proc/nowhere/netproxy"))


def test_where_nobody_is_asked_nobody_listens(tmp_path: Path) -> None:
    """Whoever connected would wait for an answer that never comes."""
    assert str(Ask.NEVER) == control_socket._NEVER
    environ, said = {"XDG_RUNTIME_DIR": str(tmp_path)}, list[str]()
    with control_of(Ask.NEVER, environ, tmp_path, said.append) as control:
        assert control is None
    with control_of(Ask.TERMINAL, environ, tmp_path, said.append) as control:
        assert control is not None
    assert said == []
    (tmp_path / "netproxy").chmod(0o777)
    with control_of(Ask.TERMINAL, environ, tmp_path, said.append) as control:
        assert control is None
    assert "can't reach this gateway" in said[0]


def test_where_nothing_ran_there_is_nothing(folder: Path) -> None:
    assert control_sockets(folder) == ()


def test_where_it_is() -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}
    assert control_folder(environ, Path("/home/a")) == Path("/run/user/7/netproxy")


def test_without_a_login_session_it_is_in_the_state_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 987_654)
    assert control_folder({}, Path("/home/a")) == Path("/home/a/.local/state/netproxy/control")
