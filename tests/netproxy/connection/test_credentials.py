"""A secret says who it is, or nothing; and it is nowhere to be found afterwards."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.connection.credentials import Credentials, Identity

ALICE, BOB = Identity("alice"), Identity("bob")
BOTH = Credentials.of({ALICE: b"correct horse", BOB: b"battery staple"})


@pytest.mark.parametrize(
    ("secret", "who"),
    [
        (b"correct horse", ALICE),
        (b"battery staple", BOB),
        (b"", None),
        (b"correct hors", None),
        (b"correct horse\0", None),
        (b"Correct horse", None),
        (sha256(b"correct horse").digest(), None),
    ],
)
def test_a_secret_says_who_it_is(secret: bytes, who: Identity | None) -> None:
    assert BOTH.identify(secret) == who


def test_a_digest_is_enough_to_know_a_secret() -> None:
    digests = {ALICE: sha256(b"correct horse").digest()}
    for held in (Credentials(digests), Credentials.of({ALICE: b"correct horse"})):
        assert held.identify(b"correct horse") == ALICE


@given(st.dictionaries(st.text(min_size=1).map(Identity), st.binary(min_size=1), min_size=1))
def test_every_secret_stands_for_its_own_identity(secrets: dict[Identity, bytes]) -> None:
    if len(set(secrets.values())) < len(secrets):
        with pytest.raises(ValueError, match="share"):
            Credentials.of(secrets)
        return
    held = Credentials.of(secrets)
    assert {who: held.identify(secret) for who, secret in secrets.items()} == {
        who: who for who in secrets
    }


@pytest.mark.parametrize(
    ("digests", "problem"),
    [
        ({}, "at least one"),
        ({ALICE: b"short"}, "32 bytes"),
        ({ALICE: bytes(32), BOB: bytes(32)}, "share"),
    ],
)
def test_what_can_tell_nobody_apart_is_refused(
    digests: dict[Identity, bytes], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Credentials(digests)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Credentials.of({ALICE: b""})


def test_no_secret_shows() -> None:
    assert repr(BOTH) == "Credentials(alice, bob)"
