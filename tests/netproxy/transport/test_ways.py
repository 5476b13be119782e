"""Directly, or through a parent, and never around one."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.transport import HappyEyeballs, Readiness
from netproxy.transport.ways import Ways
from tests.support.fakes import FakeResolver
from tests.support.parents import parent, through, to
from tests.support.proxies import LIMITS


def test_datagrams_do_not_go_around_a_parent() -> None:
    async def inside() -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=lambda _: None)
        ways = Ways(
            through(parent(9), "a.example"),
            readiness=readiness,
            limits=LIMITS,
            dialer=HappyEyeballs(readiness, LIMITS),
            resolver=FakeResolver(),
        )
        where = to("socks5-udp://a.example:53")
        chosen = ways.parent(where)
        assert chosen is not None
        assert ways.parent(to("socks5-udp://b.example:53")) is None
        with pytest.raises(DestinationUnreachable) as refused:
            await ways.dial(chosen, where, ("1.1.1.1",))
        assert refused.value.failure is Failure.NETWORK_UNREACHABLE
        readiness.close()

    asyncio.run(inside())


def test_what_parents_need_is_loaded_when_one_is_used() -> None:
    code = "import netproxy.app.wiring, sys; assert 'python_socks' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
