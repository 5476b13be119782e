"""Who connects is known by the kernel, whatever they say."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.http.api import add_api
from approvals.http.application import make_application
from approvals.http.peer import PeerCredentials, user_name
from approvals.http.server import HttpServer
from tests.support.approvals import ListSink
from tests.support.http_site import read_reply, site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def status(path: Path, sink: ListSink, uid: int, is_own: Callable[[int], bool]) -> int:
    async def main() -> int:
        peer = PeerCredentials(sink=sink, uid=uid, is_own=is_own)
        app = make_application(replace(site()[0], hosts=None, authenticate=peer))
        add_api(app, local=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path / "s"))
        listener.listen()
        async with HttpServer(app, [listener]):
            reader, writer = await asyncio.open_unix_connection(str(path / "s"))
            writer.write(b"GET /v1/grants HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n")
            reply = await read_reply(reader)
            writer.close()
        listener.close()
        return reply.status

    return asyncio.run(main())


def test_its_own_user_may(tmp_path: Path) -> None:
    assert status(tmp_path, ListSink(), os.geteuid(), lambda pid: pid != os.getpid()) == 200


def test_a_process_of_the_run_may_not(tmp_path: Path) -> None:
    sink = ListSink()
    assert status(tmp_path, sink, os.geteuid(), lambda _: True) == 403
    assert sink.names == ["approval.review_rejected"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may everywhere")
def test_another_user_may_not(tmp_path: Path) -> None:
    assert status(tmp_path, ListSink(), os.geteuid() + 1, lambda _: False) == 403


def test_users_without_a_name_are_their_number() -> None:
    assert user_name(os.geteuid()) == pwd.getpwuid(os.geteuid()).pw_name
    assert user_name(3_999_999_999) == "3999999999"
