"""What a look-up gets, by name, record and policy; no port of any resolver is there to be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.connection.fake_names import FakeNames
from netproxy.connection.name_server import NameServer, Outcome
from netproxy.model import Judgement, Reason, Verdict
from tests.support.dns_messages import AAAA, HTTPS, NS, PTR, SVCB, TXT, A, edns, parse, question
from tests.support.fakes import judgement


class Judge:
    """Knows of three names."""

    def __init__(self) -> None:
        self.refusals = {
            "denied.test": judgement(Verdict.DENY),
            "off.test": judgement(Verdict.DENY, Reason.PROXY_DISABLED),
            "printer.local": judgement(Verdict.DENY, Reason.NOT_ALLOWED_LOCAL),
        }

    def name_refusal(self, host: str) -> Judgement | None:
        return self.refusals.get(host)


class Told(list[tuple[str, Outcome, int]]):
    def __call__(
        self, host: str, outcome: Outcome, kind: int, said: Judgement | None, packed: bytes | None
    ) -> None:
        assert (packed is not None) == (outcome is Outcome.ADDRESS)
        self.append((host, outcome, kind))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def server(told: Told) -> NameServer:
    return NameServer(FakeNames(), Judge(), told)


def answered(server: NameServer, asked: str | bytes, kind: int = A) -> tuple[int, list[str]]:
    """RCODE and addresses."""
    message = server.answer(question(asked, kind))
    assert message is not None
    reply = parse(message)
    return reply.code, reply.addresses


def test_a_name_gets_an_address_of_its_own(server: NameServer, told: Told) -> None:
    assert answered(server, "Www.Example.org") == (0, ["198.18.0.1"])
    assert answered(server, "pypi.org") == (0, ["198.18.0.2"])
    assert answered(server, "www.example.org") == (0, ["198.18.0.1"])
    assert told[0] == ("www.example.org", Outcome.ADDRESS, A)


@pytest.mark.parametrize("kind", [AAAA, SVCB, HTTPS])
def test_what_is_asked_beside_it_is_empty_and_there(
    kind: int, server: NameServer, told: Told
) -> None:
    """An error would make a program give up, or wait."""
    message = server.answer(question("pypi.org", kind))
    assert message is not None
    reply = parse(message)
    assert (reply.code, reply.answers, len(reply.authorities)) == (0, [], 1)
    assert told == []


@pytest.mark.parametrize("kind", [NS, TXT, 15, 33, 255, 252, 65535])
def test_other_records_are_refused(kind: int, server: NameServer, told: Told) -> None:
    assert answered(server, "data.evil.test", kind) == (5, [])
    assert told == [("data.evil.test", Outcome.REFUSED, kind)]


@pytest.mark.parametrize("kind", [A, AAAA, TXT])
@pytest.mark.parametrize(
    ("host", "code", "outcome"),
    [
        ("denied.test", 5, Outcome.REFUSED),
        ("off.test", 5, Outcome.REFUSED),
        ("printer.local", 3, Outcome.UNKNOWN),
    ],
)
def test_what_the_policy_refuses(  # noqa: PLR0917  # a row
    host: str, code: int, outcome: Outcome, kind: int, server: NameServer, told: Told
) -> None:
    assert answered(server, host.upper(), kind) == (code, [])
    assert told == [(host, outcome, kind)]


@pytest.mark.parametrize(
    "asked",
    [
        b"\x0cdenied.test\0\0",  # a dot in a label, and a NUL
        b"\x06denied\x05te\0st\0",
        b"\x04\xffabc\x04test\0",
        b"\x01-\x04test\0",
        b"\x03127\x010\x010\x011\0",
        b"\x0a2130706433\0",
        b"\x021:\x01:\0",
        b"\0",
    ],
)
def test_what_no_host_is_called_does_not_exist(asked: bytes, server: NameServer) -> None:
    assert answered(server, asked) == (3, [])


def test_an_address_is_called_what_it_stands_for(server: NameServer) -> None:
    answered(server, "pypi.org")
    message = server.answer(question("1.0.18.198.IN-ADDR.arpa", PTR))
    assert message is not None
    ((_, _, _, data),) = parse(message).answers
    assert data == b"\x04pypi\x03org\0"


@pytest.mark.parametrize(
    "asked",
    [
        "2.0.18.198.in-addr.arpa",
        "256.0.18.198.in-addr.arpa",
        "0001.0.18.198.in-addr.arpa",
        "x.0.18.198.in-addr.arpa",
        "0.18.198.in-addr.arpa",
        "1.0.18.198.in-addr.test",
        "1.2.0.18.198.in-addr.arpa",
        "pypi.org",
    ],
)
def test_other_addresses_are_called_nothing(asked: str, server: NameServer) -> None:
    answered(server, "pypi.org")
    assert answered(server, asked, PTR) == (3, [])


def test_what_is_wrong_is_told_so(server: NameServer) -> None:
    assert answered(server, b"\xc0\x0c") == (1, [])
    message = server.answer(question("pypi.org", more=edns(version=1)))
    assert message is not None
    assert parse(message).answers == []
    assert server.answer(question("pypi.org", flags=0x8180)) is None


@given(st.binary(max_size=300))
def test_any_bytes_at_all(message: bytes) -> None:
    server = NameServer(FakeNames(), Judge(), Told())
    said = server.answer(message)
    if said is not None:
        assert len(said) <= 512
        parse(said)


def test_a_service_of_the_runs_own_is_where_it_says() -> None:
    """A single label names nothing else here, so nobody is asked about it."""
    told = Told()
    server = NameServer(FakeNames(fixed={"postgres": b"\x7f\0\0\1"}), Judge(), told)

    assert answered(server, "Postgres") == (0, ["127.0.0.1"])
    assert answered(server, "postgres", AAAA) == (0, [])
    assert answered(server, "pypi.org") == (0, ["198.18.0.1"])
    assert told[0] == ("postgres", Outcome.ADDRESS, A)
