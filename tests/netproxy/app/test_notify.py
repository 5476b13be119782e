"""systemd hears it, and nobody waits where there is none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from netproxy.app.notify import notify
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_state_arrives(tmp_path: Path, is_abstract: bool) -> None:
    name = f"@netproxy-test-{tmp_path.name}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(PATIENCE_SECONDS)
        notify("READY=1", {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "x"}, {"NOTIFY_SOCKET": "/no/such"}]
)
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    notify("READY=1", environ)
