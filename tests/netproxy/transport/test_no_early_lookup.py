"""A lookup is egress: no name is resolved before its destination is allowed, on any path.

Whoever runs a name server for a name learns of each question about it, and the name itself can
carry what shall not get out. So what is refused, or not answered yet, is never looked up; what is
allowed is looked up once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.model import ApprovalId, Protocol, Reason, Source, Verdict
from netproxy.policy.conditions import Condition
from netproxy.policy.spec import Mode
from otel.events import ConnectionFailed, PolicyDecision
from tests.support.fakes import (
    FakeApprover,
    FakeAudit,
    FakePolicy,
    FakeResolver,
    FakeToken,
    answer,
)
from tests.support.origins import read_all
from tests.support.policies import allow, deny, policy, to
from tests.support.proxies import LIMITS, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    import socket

    from netproxy.policy.engine import Policy
    from netproxy.ports import Answer
    from otel.events import Event

NAME = "a.site.test"


@dataclass(frozen=True, slots=True)
class Path:
    """One way to ask for a name, whatever is in it."""

    name: str
    protocol: Protocol

    def ask(self, near: Proxy, host: bytes = NAME.encode()) -> socket.socket:
        if self.protocol is Protocol.SOCKS5_TCP:
            client = near.socks()
            name = bytes([len(host)]) + host
            client.sendall(b"\x05\x01\x00\x05\x01\x00\x03" + name + (443).to_bytes(2, "big"))
            return client
        client = near.http()
        target = b"%b:443" if self.name == "connect" else b"http://%b:443/"
        method = b"CONNECT " if self.name == "connect" else b"POST "
        fields = b" HTTP/1.1\r\nHost: %b:443\r\nConnection: close\r\n\r\n"
        client.sendall(method + target % host + fields % host)
        return client


PATHS = (
    Path("plain", Protocol.HTTP),
    Path("connect", Protocol.HTTPS),
    Path("socks", Protocol.SOCKS5_TCP),
)
each_path = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
ANY = (allow("**.site.test:443"), allow("**.site.test:80"))
SOME = replace(allow(NAME), condition=Condition(methods=("GET",)))


def setting(decides: Policy, approver: FakeApprover | None = None) -> Setting:
    """A data plane with the real engine."""
    return Setting(
        policy=cast("FakePolicy", decides),
        approver=approver or FakeApprover(),
        resolver=FakeResolver(),
    )


def looked_up(near: Proxy) -> list[str]:
    return cast("FakeResolver", near.setting.resolver).asked


def said(reason: Reason) -> Answer:
    is_reviewer = reason is Reason.DENIED_BY_REVIEWER
    return answer(reason, source=Source.REVIEWER if is_reviewer else Source.DECIDER)


@each_path
@pytest.mark.parametrize(
    ("host", "decides", "reason"),
    [
        pytest.param(NAME, policy(*ANY, deny(NAME)), "denied_by_rule", id="deny-rule"),
        pytest.param(NAME, policy(*ANY, deny("**.site.test")), "denied_by_rule", id="deny-below"),
        pytest.param(NAME, policy(), "not_allowed", id="no-rule"),
        pytest.param(NAME, policy(allow("a.site.test:8443")), "not_allowed", id="another-port"),
        pytest.param(NAME, policy(*ANY, mode=Mode.OFF), "proxy_disabled", id="mode-off"),
        pytest.param(NAME, policy(*ANY, mode=Mode.LIMITED), None, id="mode-limited"),
        pytest.param(NAME, policy(SOME), "inspection_required", id="rule-with-a-condition"),
        pytest.param(
            NAME,
            policy(default=Verdict.ASK, ceiling=(allow("b.site.test"),)),
            "not_allowed",
            id="above-the-ceiling",
        ),
        *(
            pytest.param(
                name,
                policy(*ANY, default=Verdict.ALLOW),
                "not_allowed_local",
                id=f"special-{name}",
            )
            for name in ("localhost", "x.localhost", "printer.local", "db.internal", "intranet")
        ),
    ],
)
def test_what_the_policy_refuses(
    path: Path, host: str, decides: Policy, reason: str | None
) -> None:
    with proxy(setting(decides)) as near, path.ask(near, host.encode()) as client:
        assert read_all(client)
    limited = "method_not_allowed" if path.protocol is Protocol.HTTP else "inspection_required"
    assert near.audit.decisions == [("deny", reason or limited)]
    assert near.setting.approver.asked == []
    assert looked_up(near) == []


@each_path
@pytest.mark.parametrize(
    "host",
    [
        b"a..test", b".a.test", b"a.test..", b"127.1", b"2130706433", b"0x7f.1", b"a%2etest",
        b"a\xc3\xa9", b"*", b"-a-" + b"x" * 64, b"a.0x1",
    ],
)  # fmt: skip
def test_what_is_no_name(path: Path, host: bytes) -> None:
    with (
        proxy(setting(policy(default=Verdict.ALLOW))) as near,
        path.ask(near, host) as client,
    ):
        assert read_all(client)
    assert near.audit.decisions == [("deny", "invalid_destination")]
    assert looked_up(near) == []


@each_path
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(said(Reason.DENIED_BY_REVIEWER), id="denied"),
        pytest.param(said(Reason.APPROVAL_TIMEOUT), id="timed-out"),
        pytest.param(said(Reason.APPROVAL_UNAVAILABLE), id="nobody-there"),
        pytest.param(said(Reason.DENIED_BY_SESSION), id="denied-for-the-session-meanwhile"),
        pytest.param(said(Reason.LIMIT_EXCEEDED), id="too-many-questions"),
        pytest.param(ValueError("bug"), id="broken"),
    ],
)
def test_what_a_reviewer_does_not_allow(path: Path, reply: Answer | Exception) -> None:
    asks = setting(policy(default=Verdict.ASK), FakeApprover(reply))
    with proxy(asks) as near, path.ask(near) as client:
        assert read_all(client)
    assert len(near.setting.approver.asked) == 1
    assert [decision for decision, _ in near.audit.decisions] == ["deny"]
    assert looked_up(near) == []


@each_path
@pytest.mark.parametrize("ends", ["client-leaves", "run-ends", "policy-changes"])
def test_what_is_asked_and_not_answered(path: Path, ends: str) -> None:
    asks = setting(cast("Policy", FakePolicy(Verdict.ASK)))
    with proxy(asks) as near:
        with path.ask(near) as client:
            eventually(lambda: bool(near.setting.approver.pending))
            assert looked_up(near) == [], "while it is asked"
            if ends == "run-ends":
                near.token.is_cancelled = True
            if ends == "policy-changes":
                near.setting.policy.default = FakePolicy(Verdict.DENY).default
                near.call(near.server.judge_again)
                assert read_all(client)
        near.settle()
    assert [decision for decision, _ in near.audit.decisions] == ["deny"]
    assert looked_up(near) == []


@each_path
def test_what_the_session_denies(path: Path) -> None:
    denies = setting(policy(*ANY))
    denies.cache.denials[to(f"{NAME}:443", path.protocol)] = ApprovalId("a-no")
    with proxy(denies) as near, path.ask(near) as client:
        assert read_all(client)
    assert near.audit.decisions == [("deny", "denied_by_session")]
    assert looked_up(near) == []


def only_decisions(event: Event) -> bool:
    return isinstance(event, PolicyDecision)


@each_path
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"audit": FakeAudit(only_decisions)}, None, id="audit-unavailable"),
        pytest.param({"token": FakeToken(is_cancelled=True)}, "proxy_disabled", id="cancelled"),
        pytest.param({"limits": replace(LIMITS, connections_per_run=0)}, None, id="over-limit"),
    ],
)
def test_what_would_be_allowed_at_another_time(
    path: Path, changed: dict[str, object], reason: str | None
) -> None:
    at_this = replace(setting(policy(*ANY)), **changed)  # type: ignore[arg-type]  # any of its fields
    with proxy(at_this) as near, path.ask(near) as client:
        assert read_all(client)
    assert near.audit.decisions == ([] if reason is None else [("deny", reason)])
    assert looked_up(near) == []


@each_path
@pytest.mark.parametrize("how", ["rule", "default", "reviewer", "grant"])
def test_what_is_allowed_is_looked_up_once(path: Path, how: str) -> None:
    allows = {
        "rule": setting(policy(*ANY)),
        "default": setting(policy(default=Verdict.ALLOW)),
        "reviewer": setting(policy(default=Verdict.ASK), FakeApprover(said(Reason.APPROVED))),
        "grant": setting(policy(default=Verdict.ASK)),
    }[how]
    if how == "grant":
        allows.cache.grants[to(f"{NAME}:443", path.protocol)] = ApprovalId("a-yes")
    with proxy(allows) as near, path.ask(near) as client:
        assert read_all(client)
    assert [decision for decision, _ in near.audit.decisions] == ["allow"]
    assert len(near.audit.of(ConnectionFailed)) == 1, "nothing is there, and it was tried"
    assert looked_up(near) == [NAME]


@each_path
def test_an_address_is_never_looked_up(path: Path) -> None:
    literal = setting(policy(allow("127.0.0.1:443")))
    with proxy(literal) as near, path.ask(near, b"127.0.0.1") as client:
        assert read_all(client)
    assert looked_up(near) == []
