"""What a request becomes on record."""

from __future__ import annotations

import pytest

from netproxy.connection.own_refusals import state_refusal
from netproxy.connection.records import (
    Stray,
    decided,
    never_asked,
    never_connected,
    undialled,
)
from netproxy.model import (
    ConnectionId,
    Decision,
    Destination,
    Protocol,
    Reason,
    Request,
    Source,
)

REQUEST = Request(
    destination=Destination("a.test", 443, Protocol.HTTPS),
    method="CONNECT",
    connection_id=ConnectionId("c-1"),
    client_address="127.0.0.1:4",
)


def said(source: Source, *, message: str = "so") -> Decision:
    return Decision(
        allowed=True, source=source, reason=Reason.ALLOWED_BY_RULE, message=message, rule="a"
    )


@pytest.mark.parametrize("source", Source)
def test_a_decision_about_the_destination_is_of_the_domain(source: Source) -> None:
    about_how = {Source.MODE_GUARD, Source.PROXY_STATE}
    assert decided(REQUEST, said(source)).scope == (
        "non_domain" if source in about_how else "domain"
    )


def test_a_decision_is_recorded_with_what_was_asked() -> None:
    made = decided(REQUEST, said(Source.BASELINE_POLICY, message="")).attributes()
    assert made == {
        "connection.id": "c-1",
        "client.address": "127.0.0.1:4",
        "server.address": "a.test",
        "server.port": 443,
        "network.transport.protocol": "https",
        "http.request.method": "CONNECT",
        "network.policy.scope": "domain",
        "network.policy.decision": "allow",
        "network.policy.source": "baseline_policy",
        "network.policy.reason": "allowed_by_rule",
        "network.policy.override": False,
        "security_rule.name": "a",
        "netproxy.policy.explanation": None,
        "approval.id": None,
    }


def test_what_was_never_a_request_is_a_denial() -> None:
    stray = Stray(
        connection_id=ConnectionId("c-2"), client_address="unknown", protocol=Protocol.HTTP
    )
    made = never_asked(stray, state_refusal(Reason.INVALID_DESTINATION, "no"))
    assert (made.decision, made.reason, made.server_address, made.server_port) == (
        "deny",
        "invalid_destination",
        "unknown",
        0,
    )


def test_refused_addresses_come_with_their_kind() -> None:
    made = undialled(REQUEST, [("10.0.0.1", "private"), ("::1", "loopback")])
    assert made.addresses == ("10.0.0.1 (private)", "::1 (loopback)")


def test_what_nobody_wanted_any_more_has_an_end() -> None:
    made = never_connected(REQUEST)
    assert (made.connection_id, made.error_type) == ("c-1", "abandoned")
