"""Standard Webhooks: what we sign others verify, and what we verify leaves no second reading."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from approvals.errors import InvalidSecret, UnverifiedWebhook
from approvals.webhook.signing import (
    BODY_BYTES,
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE_SECONDS,
    parse_secret,
    secret_text,
    signed_headers,
    verify,
)
from tests.support.webhook_vectors import Vector, vectors

KEY, OLD_KEY, STRANGER = b"k" * 24, b"o" * 64, b"s" * 32
NOW = 1_700_000_000
BODY = b'{"type":"approval.decision"}'
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"

type Headers = list[tuple[str, str]]


def headers(body: bytes = BODY, *, timestamp: int = NOW, key: bytes = KEY) -> Headers:
    return list(signed_headers(MESSAGE, timestamp, body, [key]).items())


def changed(name: str, value: str) -> Headers:
    return [(each, value if each == name else old) for each, old in headers()]


def refused(found: Headers, body: bytes = BODY, *, now: float = NOW) -> str:
    with pytest.raises(UnverifiedWebhook) as caught:
        verify(found, body, [KEY, OLD_KEY], now=now)
    return str(caught.value)


def test_what_was_signed_is_verified() -> None:
    verified = verify(headers(), BODY, [KEY], now=NOW)
    assert (verified.webhook_id, verified.timestamp) == (MESSAGE, NOW)


@given(st.binary(max_size=300), st.binary(min_size=24, max_size=64))
def test_any_body_and_any_key_go_there_and_back(body: bytes, key: bytes) -> None:
    verify(headers(body, key=key), body, [STRANGER, key], now=NOW)
    assert parse_secret(secret_text(key)) == key


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector.webhook_id)
def test_the_vectors_of_the_documentation(vector: Vector) -> None:
    key, body = parse_secret(vector.secret), vector.body.encode()
    said = signed_headers(vector.webhook_id, vector.timestamp, body, [key])
    assert said[SIGNATURE] == vector.signature
    verify(said.items(), body, [key], now=vector.timestamp)


def test_the_published_vector_of_the_standard_is_among_them() -> None:
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" in {v.signature for v in vectors()}


def test_an_independent_library_verifies_ours() -> None:
    now = int(datetime.now(tz=UTC).timestamp())
    said = signed_headers(MESSAGE, now, BODY, [KEY])
    assert Webhook(secret_text(KEY)).verify(BODY, said) == {"type": "approval.decision"}


def test_we_verify_those_of_an_independent_library() -> None:
    at = datetime.fromtimestamp(NOW, tz=UTC)
    signature = Webhook(secret_text(KEY)).sign(MESSAGE, at, BODY.decode())
    verify(changed(SIGNATURE, signature), BODY, [KEY], now=NOW)


def test_while_a_secret_is_rotated_both_keys_sign_and_both_verify() -> None:
    both = list(signed_headers(MESSAGE, NOW, BODY, [KEY, OLD_KEY]).items())
    verify(both, BODY, [KEY], now=NOW)
    verify(both, BODY, [OLD_KEY], now=NOW)
    verify(headers(key=OLD_KEY), BODY, [KEY, OLD_KEY], now=NOW)
    with pytest.raises(UnverifiedWebhook):
        verify(headers(key=OLD_KEY), BODY, [KEY], now=NOW)  # the overlap is over


@pytest.mark.parametrize("off", [-TOLERANCE_SECONDS + 1, 0, TOLERANCE_SECONDS - 1])
def test_a_clock_may_be_off_a_little(off: int) -> None:
    verify(headers(timestamp=NOW + off), BODY, [KEY], now=NOW)


@pytest.mark.parametrize("off", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_and_no_more_either_way(off: int) -> None:
    assert "off" in refused(headers(timestamp=NOW + off))


@pytest.mark.parametrize(
    "value",
    [
        "1700000000.9",
        " 1700000000",
        "nan",
        "",
        "1_70000000",
        "+170000000",
        "\u0661" * 10,
        "9" * 400,
    ],
)
def test_a_timestamp_is_ten_digits(value: str) -> None:
    assert "ten digits" in refused(changed(TIMESTAMP, value))


@pytest.mark.parametrize("value", ["", "short", "a" * 65, "with.a.stop", "sp ace-id", "msg_ü1234"])
def test_an_id_is_letters_digits_and_dashes(value: str) -> None:
    assert ID in refused(changed(ID, value))


@pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE])
def test_each_header_is_there_exactly_once(name: str) -> None:
    found = headers()
    assert "2" in refused([*found, (name.upper(), dict(found)[name])])
    assert "0" in refused([pair for pair in found if pair[0] != name])


@pytest.mark.parametrize(
    "before",
    ["garbage", "v1", "v1,", "v1,ü", "v1a,QUJD", "v1,!!!", ",", "", "v2,x,y"],
)
def test_an_unknown_signature_is_skipped_and_alone_is_none(before: str) -> None:
    good = dict(headers())[SIGNATURE]
    verify(changed(SIGNATURE, f"{before} {good}"), BODY, [KEY], now=NOW)
    assert "no signature" in refused(changed(SIGNATURE, before))


def test_eight_signatures_are_looked_at_and_nine_are_too_many() -> None:
    good = dict(headers())[SIGNATURE]
    verify(changed(SIGNATURE, "v1,x " * 7 + good), BODY, [KEY], now=NOW)
    assert "more than" in refused(changed(SIGNATURE, "v1,x " * 8 + good))
    assert "too long" in refused(changed(SIGNATURE, "v1," + "x" * 3000))


def test_one_byte_more_or_a_body_written_anew_is_another_body() -> None:
    assert refused(headers(), BODY + b" ")
    assert refused(headers(), BODY.replace(b":", b": "))


def test_the_headers_are_signed_as_well() -> None:
    assert refused(changed(ID, MESSAGE + "x"))
    assert refused(changed(TIMESTAMP, str(NOW + 1)))


def test_a_body_has_a_limit_even_when_it_is_signed() -> None:
    verify(headers(b"x" * BODY_BYTES), b"x" * BODY_BYTES, [KEY], now=NOW)
    long = b"x" * (BODY_BYTES + 1)
    assert "long" in refused(headers(long), long)


def test_without_a_key_nothing_is_verified() -> None:
    with pytest.raises(UnverifiedWebhook):
        verify(headers(), BODY, [], now=NOW)


def test_a_stranger_learns_nothing_about_our_clock() -> None:
    assert "no signature" in refused(headers(timestamp=NOW - 9999, key=STRANGER))


names = st.sampled_from([ID, TIMESTAMP, SIGNATURE, "Webhook-Id", "host"])
values = st.text(max_size=80) | st.sampled_from([MESSAGE, str(NOW), "v1,QUJD", "v1a,x v1,é"])


@given(st.lists(st.tuples(names, values), max_size=6), st.binary(max_size=50))
def test_nobody_else_gets_in_and_nothing_else_is_raised(found: Headers, body: bytes) -> None:
    with pytest.raises(UnverifiedWebhook):
        verify(found, body, [KEY], now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        base64.b64encode(KEY).decode(),
        "whsk_" + base64.b64encode(KEY).decode(),
        secret_text(KEY) + "\n",
        "whsec_!" + base64.b64encode(KEY).decode(),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 24).decode(),
        secret_text(b"k" * 25)[:-3] + "x==",
        "whsec_ü" + base64.b64encode(KEY).decode(),
    ],
)
def test_a_secret_has_one_spelling_and_the_error_keeps_it(text: str) -> None:
    with pytest.raises(InvalidSecret) as caught:
        parse_secret(text)
    assert not text or text not in str(caught.value) or len(text) < 10


@given(st.text(max_size=100))
def test_any_other_text_is_no_secret(text: str) -> None:
    with suppress(InvalidSecret):
        parse_secret(text)
