"""Records that are written a moment later: what may happen within that moment, and what may not."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from netproxy.model import CloseReason, Verdict
from otel import AuditUnavailable
from otel.events import ConnectionClosed, ConnectionOpened, Event, PolicyDecision
from tests.support.fakes import FakeAudit, judgement
from tests.support.origins import echo, origin, read_all
from tests.support.proxies import Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.origins import Origin


class SlowDisk(FakeAudit):
    """The first yes is not written until `go_on`, or never: then it raises."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.began = threading.Event()
        self._fails = fails
        self._loop: asyncio.AbstractEventLoop | None = None
        self._then: Callable[[AuditUnavailable | None], None] | None = None

    async def written(self, event: Event) -> None:
        waiter = asyncio.get_running_loop().create_future()

        def settle(problem: AuditUnavailable | None) -> None:
            if problem is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(problem)

        self.record_then(event, settle)
        await waiter

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        self.record(event)
        self._loop = asyncio.get_running_loop()
        self._then = then
        self.began.set()

    def go_on(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        assert self._then is not None
        self._then(AuditUnavailable("the disk is full") if self._fails else None)


def connect(far: Origin) -> bytes:
    return f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\nHost: 127.0.0.1:{far.port}\r\n\r\n".encode()


def test_nothing_is_dialled_before_the_yes_is_written() -> None:
    disk = SlowDisk()
    with origin(echo) as far, proxy(Setting(audit=disk)) as near, near.http() as client:
        client.sendall(connect(far))
        assert disk.began.wait(30)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert far.accepted == 0
        disk.go_on()
        client.settimeout(30)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_a_yes_that_turns_out_not_to_be_written_is_a_no() -> None:
    disk = SlowDisk(fails=True)
    with origin(echo) as far, proxy(Setting(audit=disk)) as near, near.http() as client:
        client.sendall(connect(far))
        assert disk.began.wait(30)
        disk.go_on()
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b'"audit_unavailable"' in answer
        assert far.accepted == 0
    assert near.audit.decisions[-1] == ("deny", "audit_unavailable")


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.ASK])
def test_a_policy_that_changes_while_the_yes_is_written_has_the_last_word(verdict: Verdict) -> None:
    disk = SlowDisk()
    with origin(echo) as far, proxy(Setting(audit=disk)) as near, near.http() as client:
        client.sendall(connect(far))
        assert disk.began.wait(30)

        def tighten() -> None:
            near.setting.policy.default = judgement(verdict)
            near.server.judge_again()

        near.call(tighten)
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert far.accepted == 0
    first, last = near.audit.of(PolicyDecision)
    assert (first.decision, last.decision) == ("allow", "deny")
    assert first.connection_id == last.connection_id
    assert not near.token.is_cancelled


def test_a_run_that_ends_while_the_yes_is_written_dials_nothing() -> None:
    disk = SlowDisk()
    with origin(echo) as far, proxy(Setting(audit=disk)) as near, near.http() as client:
        client.sendall(connect(far))
        assert disk.began.wait(30)
        near.call(lambda: near.server.close_all(CloseReason.RUN_CANCELLED))
        assert read_all(client) == b""
        assert far.accepted == 0


def test_a_tunnel_whose_opening_is_lost_is_cut() -> None:
    """It was put on record, and at the end of the turn the disk was full."""

    class LosesOpenings(FakeAudit):
        def record_soon(self, event: Event, *, lost: Callable[[], None] | None = None) -> None:
            super().record_soon(event)
            if isinstance(event, ConnectionOpened):
                assert lost is not None
                asyncio.get_running_loop().call_soon(lost)

    setting = Setting(audit=LosesOpenings())
    with origin(echo) as far, proxy(setting) as near, near.http() as client:
        client.sendall(connect(far))
        with suppress(ConnectionResetError):
            read_all(client)
        near.settle()
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["reset"]
