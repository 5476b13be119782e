"""Nobody gets out who has shown nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from netproxy.app.outside import _NOTHING, Nobody
from netproxy.connection.gate import Gate
from netproxy.connection.overload import Overload, turned_away
from netproxy.model import ConnectionId, Reason, Request, Verdict
from netproxy.policy.engine import compile_policy
from tests.support.fakes import FakeAudit, judgement
from tests.support.policies import to

if TYPE_CHECKING:
    from netproxy.ports import SessionCache, Token


def request() -> Request:
    return Request(
        destination=to("a.test:443"),
        method="CONNECT",
        connection_id=ConnectionId("c-1"),
        client_address="127.0.0.1:1",
    )


def test_its_gate_refuses_whatever_reaches_it() -> None:
    nobody, audit = Nobody(), FakeAudit()
    policy = compile_policy(_NOTHING, now=0)
    gate = Gate(policy=policy, cache=nobody, approver=nobody, audit=audit, token=nobody)
    decision = asyncio.run(gate.admit(request()))
    assert (decision.allowed, decision.reason) == (False, Reason.PROXY_DISABLED)
    assert policy.judge(request().destination, "CONNECT", nobody).verdict is Verdict.DENY


def test_nobody_remembers_asks_or_stops_anything() -> None:
    nobody = Nobody()
    memory: SessionCache = nobody
    assert memory.grant(request().destination) is None
    assert memory.denial(request().destination) is None
    token: Token = nobody
    token.cancel(request(), turned_away(Overload.CREDENTIALS))
    assert token.is_cancelled
    with pytest.raises(AssertionError):
        asyncio.run(nobody.ask(request(), judgement(Verdict.ASK)))
