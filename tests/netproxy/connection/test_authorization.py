"""A secret is read in exactly one spelling, and only where there is exactly one."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.connection.authorization import CHALLENGES, logs_in, shown_secret
from netproxy.protocol.fields import by_name


def field(value: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"Host", b"a.test"), (b"Proxy-Authorization", value))


def basic(text: bytes) -> bytes:
    return b"Basic " + b64encode(text)


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        (basic(b"anybody:s3cret"), b"s3cret"),
        (basic(b":s3cret"), b"s3cret"),
        (basic(b"a:b:c"), b"b:c"),
        (basic(b"a:"), b""),
        (b"bAsIc   " + b64encode(b"a:b"), b"b"),
        (b"Bearer abc.DEF-123_~+/==", b"abc.DEF-123_~+/=="),
        (b"BEARER x", b"x"),
        (basic(b"no colon"), None),
        (b"Basic", None),
        (b"Basic !!!!", None),
        (b"Basic YTpi=", None),
        (b"Basic YTpiYw", None),
        (b"Basic YT pi", None),
        (b"Bearer", None),
        (b"Bearer ", None),
        (b"Bearer a b", None),
        (b"Bearer a,b", None),
        (b"Digest username=x", None),
        (b"Negotiate abcd", None),
        (b"", None),
    ],
)
def test_one_spelling(value: bytes, secret: bytes | None) -> None:
    assert shown_secret(field(value)) == secret


def test_without_the_field_or_with_two_there_is_none() -> None:
    """Two could be read as the first by one reader and as the last by another."""
    assert shown_secret(()) is None
    assert shown_secret((*field(b"Bearer a"), *field(b"Bearer a"))) is None
    assert shown_secret(((b"Authorization", b"Bearer a"),)) is None


@given(st.binary(max_size=80))
def test_whatever_comes_is_a_secret_or_none(value: bytes) -> None:
    found = shown_secret(field(value))
    assert found is None or isinstance(found, bytes)


@given(st.binary(max_size=80).filter(lambda user: b":" not in user), st.binary(max_size=80))
def test_a_password_comes_back_as_it_is(user: bytes, password: bytes) -> None:
    assert shown_secret(field(basic(user + b":" + password))) == password


def test_what_is_asked_for_is_what_is_read() -> None:
    assert [challenge.split()[1] for challenge in CHALLENGES] == ["Basic", "Bearer"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), False),
        ((b"",), False),
        ((b"Basic YTpi",), False),
        ((b"Bearer negotiate",), False),
        ((b"NTLMx abc",), False),
        ((b"NTLM TlRMTVNTUAAB",), True),
        ((b"ntlm",), True),
        ((b"Negotiate YII",), True),
        ((b"nEGOTIATE\tYII",), True),
        ((b"Basic YTpi", b"Negotiate YII"), True),
    ],
)
def test_who_logs_in_a_connection(values: tuple[bytes, ...], expected: bool) -> None:
    fields = tuple((b"Authorization", value) for value in values)
    assert logs_in(by_name(fields)) is expected
    assert not logs_in(by_name(((b"Proxy-Authorization", b"NTLM abc"),)))
