"""Ways round a SOCKS gateway that were found in others, tried on this one.

The defence: the handshake is read strictly and in order, a name goes through the same canonical
form as everywhere else before it is judged, and only addresses that were checked are dialled.
"""

from __future__ import annotations

import socket

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.errors import SocksReply
from netproxy.model import Verdict
from netproxy.protocol.socks5 import reply
from otel.events import ClientsTurnedAway
from tests.support.fakes import FakePolicy, FakeResolver
from tests.support.origins import echo, origin, read_all
from tests.support.proxies import LOOPBACK, Setting, proxy

GREETED = b"\x05\x00"
GENERAL = reply(SocksReply.GENERAL_FAILURE)


def named(name: bytes, port: int = 443) -> bytes:
    return b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2)


def answered(data: bytes, setting: Setting | None = None) -> tuple[bytes, list[tuple[str, str]]]:
    with proxy(setting) as near, near.socks() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_all(client), near.audit.decisions


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"127.0.0.1\0.ok.test", id="nul-cuts-the-name"),
        pytest.param(b"evil.test\0.ok.test", id="nul-name"),
        pytest.param(b"2130706433", id="decimal"),
        pytest.param(b"0x7f000001", id="hex"),
        pytest.param(b"0x7f.1", id="hex-short"),
        pytest.param(b"127.1", id="short"),
        pytest.param(b"0177.0.0.1", id="octal"),
        pytest.param(b"012.0.0.1", id="leading-zero"),
        pytest.param("\uff11\uff12\uff17.0.0.1".encode(), id="full-width"),
        pytest.param("ok。test".encode(), id="ideographic-dot"),
        pytest.param(b"[ok.test]", id="brackets-round-a-name"),
        pytest.param(b"ok.test:22", id="port-in-name"),
        pytest.param(b"ok.test/", id="path"),
        pytest.param(b"a@ok.test", id="userinfo"),
        pytest.param(b"::1%eth0", id="zone"),
        pytest.param(b"", id="r84-empty"),
        pytest.param(b"a" * 64 + b".test", id="r84-label"),
        pytest.param(b"a." * 127 + b"a", id="r84-long"),
        pytest.param(b"ok..test", id="empty-label"),
        pytest.param(b"ok.test\r\nX: y", id="crlf"),
        pytest.param(b"%6fk.test", id="percent"),
    ],
)
def test_a_name_has_one_spelling_or_none(name: bytes) -> None:
    resolver = FakeResolver()
    data, decisions = answered(named(name), Setting(resolver=resolver))
    assert data == GREETED + GENERAL
    assert decisions == [("deny", "invalid_destination")]
    assert resolver.asked == []


@pytest.mark.parametrize("name", [b"127.0.0.1", b"::1", b"::ffff:127.0.0.1", b"0:0:0:0:0:0:0:1"])
def test_r85_an_address_in_the_name_field_is_judged_as_an_address(name: bytes) -> None:
    policy = FakePolicy(Verdict.DENY)
    data, _ = answered(named(name), Setting(policy=policy))
    assert data == GREETED + reply(SocksReply.NOT_ALLOWED)
    ((destination, method),) = policy.judged
    assert destination.host in {"127.0.0.1", "::1"}
    assert method == "none"


def test_s3_a_mapped_address_is_judged_as_what_it_maps_to() -> None:
    policy = FakePolicy(Verdict.DENY)
    mapped = b"\x00" * 10 + b"\xff\xff" + b"\x7f\x00\x00\x01"
    answered(b"\x05\x01\x00\x05\x01\x00\x04" + mapped + b"\x01\xbb", Setting(policy=policy))
    assert policy.judged[0][0].host == "127.0.0.1"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x05\x01\x00\x01\x7f\x00\x00\x01", id="r82-request-without-greeting"),
        pytest.param(b"\x05\x00\x05\x01\x00\x01\x7f\x00\x00\x01", id="r79-no-methods-then-request"),
        pytest.param(b"\x05\x01\x02\x05\x01\x00\x01\x7f\x00\x00\x01", id="method-refused"),
        pytest.param(b"\x04\x01PORT\x7f\x00\x00\x01\x00", id="r80-socks4"),
        pytest.param(b"\x04\x01PORT\x00\x00\x00\x01\x00ok.test\x00", id="r80-socks4a"),
        pytest.param(b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n", id="r80-http"),
        pytest.param(b"\x05\x01\x00\x05\x01\x01\x01\x7f\x00\x00\x01PORT", id="r90-reserved"),
        pytest.param(b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01PORT", id="r88-bind"),
        pytest.param(b"\x05\x01\x00\x05\x01\x00\x02\x7f\x00\x00\x01PORT", id="r89-atyp"),
        pytest.param(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", id="r91-port-0"),
    ],
)  # fmt: skip
def test_no_step_can_be_skipped_and_nothing_else_is_served(data: bytes) -> None:
    with origin(echo) as far, proxy() as near, near.socks() as client:
        client.sendall(data.replace(b"PORT", far.port.to_bytes(2)))
        client.shutdown(socket.SHUT_WR)
        assert b"\x05\x00\x00" not in read_all(client)
        assert far.accepted == 0
    assert [decision for decision, _ in near.audit.decisions] in (["deny"], [])


GREETING, CONNECT = b"\x05\x02\x00\x02", b"\x05\x01\x00\x01\x7f\x00\x00\x01PORT"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x05\x01\x00" + CONNECT, id="r82-no-authentication-offered"),
        pytest.param(GREETING + CONNECT, id="r82-request-straight-away"),
        pytest.param(GREETING + b"\x01\x01u\x00" + CONNECT, id="r81-empty"),
        pytest.param(GREETING + b"\x01\x01u\x04righ" + CONNECT, id="r81-a-part-of-it"),
        pytest.param(GREETING + b"\x01\x05right\x05wrong" + CONNECT, id="r81-as-the-name"),
        pytest.param(GREETING + b"\x01\x01u\x06right\0" + CONNECT, id="r81-nul"),
        pytest.param(b"\x04\x01PORT\x7f\x00\x00\x01right\x00", id="r80-as-a-socks4-user"),
        pytest.param(
            (GREETING + b"\x01\x01u\x05wrong" + b"\x01\x01u\x05right" + CONNECT), id="second-try"
        ),
    ],
)
def test_r81_a_listener_that_asks_for_a_secret_serves_nobody_without_it(data: bytes) -> None:
    setting = Setting(credentials=Credentials.of({Identity("builds"): b"right"}))
    with origin(echo) as far, proxy(setting) as near, near.socks() as client:
        client.sendall(data.replace(b"PORT", far.port.to_bytes(2)))
        client.shutdown(socket.SHUT_WR)
        assert b"\x05\x00" not in read_all(client)
        near.settle_after(client)
        assert far.accepted == 0
    assert near.setting.policy.judged == []
    (counted,) = near.audit.events
    assert isinstance(counted, ClientsTurnedAway)
    assert (counted.limit, counted.count) == ("credentials", 1)


def test_s22_a_name_that_changes_its_address_between_check_and_dial() -> None:
    """The first answer is checked and dialled; a second lookup would have found a private one."""
    resolver = FakeResolver(ok__test=[("127.0.0.1",), ("10.0.0.1",)])
    with origin(echo) as far:
        setting = Setting(policy=FakePolicy(Verdict.ALLOW, dialable=LOOPBACK), resolver=resolver)
        data, decisions = answered(named(b"ok.test", far.port) + b"x", setting)
        assert far.accepted == 1
    assert data.endswith(b"x")
    assert decisions == [("allow", "allowed_by_rule")]
    assert resolver.asked == ["ok.test"]


def test_s23_private_addresses_among_public_ones_are_not_dialled() -> None:
    resolver = FakeResolver(ok__test=[("169.254.169.254", "10.0.0.1", "::1", "127.0.0.1")])
    policy = FakePolicy(Verdict.ALLOW, dialable=frozenset({"127.0.0.1"}))
    with origin(echo) as far:
        data, _ = answered(named(b"ok.test", far.port), Setting(policy=policy, resolver=resolver))
        assert far.accepted == 1
    assert data[:5] == GREETED + b"\x05\x00\x00"
