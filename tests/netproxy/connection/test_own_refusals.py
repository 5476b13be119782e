"""What is nobody's no ends no run, and says what happened."""

from __future__ import annotations

import pytest

from netproxy.connection.own_refusals import (
    abandoned,
    nobody_to_ask,
    run_is_over,
    state_refusal,
    taken_back,
    unrecorded,
)
from netproxy.model import ConnectionId, Decision, Destination, Protocol, Reason, Request, Source

REQUEST = Request(
    destination=Destination(host="a.test", port=443, protocol=Protocol.HTTPS),
    method="CONNECT",
    connection_id=ConnectionId("c-1"),
    client_address="unknown",
)


@pytest.mark.parametrize(
    ("decision", "source", "reason"),
    [
        (state_refusal(Reason.INVALID_DESTINATION, "no"), "proxy_state", "invalid_destination"),
        (run_is_over(), "proxy_state", "proxy_disabled"),
        (unrecorded(REQUEST), "proxy_state", "audit_unavailable"),
        (taken_back(REQUEST), "proxy_state", "not_allowed"),
        (nobody_to_ask(REQUEST, ValueError("bug")), "decider", "approval_unavailable"),
        (abandoned(REQUEST, is_over=False), "decider", "approval_timeout"),
        (abandoned(REQUEST, is_over=True), "proxy_state", "proxy_disabled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_refuses_and_cancels_nothing(decision: Decision, source: str, reason: str) -> None:
    assert (decision.allowed, decision.cancels) == (False, False)
    assert (decision.source, decision.reason) == (Source(source), Reason(reason))


def test_those_about_a_request_name_its_destination() -> None:
    about = [unrecorded(REQUEST), nobody_to_ask(REQUEST, ValueError("bug"))]
    about += [abandoned(REQUEST, is_over=False), taken_back(REQUEST)]
    assert all("a.test:443" in decision.message for decision in about)
