"""A command wants more than it was given for always: by the words of the answer, or by the file.

Defence: the rule names one destination, and words stay within one TOML string (the parsers' tests
try hostile ones); a file that appears where none was counts at once only if we made it.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from approvals import Scope, Verdict
from otel.events import PolicyDecision
from tests.support.live_gateway import OPTIONS, LiveGateway, live_gateway
from tests.support.origins import Keeper, origin
from tests.support.proxies import eventually, read_until

if TYPE_CHECKING:
    from pathlib import Path

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
OPEN = '[profiles.mine.network]\ndefault = "allow"\n'
# Two looks of the reload, and what it waits until a file is settled.
LOOKS_SECONDS = 1.3


def client(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 10)


def get(gateway: LiveGateway, port: int) -> bytes:
    with client(gateway.http) as asking:
        head = f"GET http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n"
        asking.sendall(head.encode())
        return read_until(asking, b"hi")


def test_a_file_of_ours_counts_at_once(tmp_path: Path) -> None:
    """The control: the same path, made by an answer for always."""
    with (
        origin(Keeper(lambda _: HI)) as far,
        live_gateway(tmp_path, *OPTIONS, config=None) as gateway,
        client(gateway.http) as asking,
    ):
        head = f"GET http://a.test:{far.port}/ HTTP/1.1\r\nHost: a.test:{far.port}\r\n\r\n"
        asking.sendall(head.encode())
        gateway.answer(Verdict.ALLOW, Scope.ALWAYS)
        assert read_until(asking, b"hi").endswith(b"hi")
        assert gateway.file.stat().st_mode & 0o777 == 0o600

        def is_by_rule() -> bool:
            get(gateway, far.port)
            return gateway.trail.of(PolicyDecision)[-1].reason == "allowed_by_rule"

        eventually(is_by_rule)


def test_a_file_that_a_command_puts_there_does_not(tmp_path: Path) -> None:
    with live_gateway(tmp_path, *OPTIONS, config=None) as gateway:
        gateway.file.parent.mkdir(parents=True)
        gateway.file.write_text(OPEN)
        time.sleep(LOOKS_SECONDS)
        with client(gateway.http) as asking:
            asking.sendall(b"GET http://a.test:9/ HTTP/1.1\r\nHost: a.test:9\r\n\r\n")
            gateway.answer(Verdict.DENY, Scope.ONCE)
            assert b"denied_by_reviewer" in read_until(asking, b"}")
    assert [each.reason for each in gateway.trail.of(PolicyDecision)] == ["denied_by_reviewer"]
