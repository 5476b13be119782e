"""Signs webhooks and verifies them: Standard Webhooks 1.0.0, scheme `v1` (HMAC-SHA256). Pure.

What is signed is `id.timestamp.body`, the body as its raw bytes. The verifier is stricter than the
standard asks, and refuses in one way whatever anybody sends: with `UnverifiedWebhook`, whose text
is for the audit trail and not for the sender. An entry of another scheme is skipped, so that `v1a`
(Ed25519) can be added without a change for those who verify today.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import TYPE_CHECKING, Final

from approvals.errors import InvalidSecret, UnverifiedWebhook
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

# The standard asks for "several minutes"; its libraries take five, either way.
TOLERANCE_SECONDS: Final = 300
# The standard recommends bodies under 20 kB; ours are about two.
BODY_BYTES: Final = 20_000
# A rotation needs two. Each entry costs an HMAC per key for whoever sends them.
_MOST_SIGNATURES: Final = 8
# Its longest form: eight of "v1," and 44 characters; room for other schemes beside them.
_SIGNATURE_CHARACTERS: Final = 2048

_PREFIX: Final = "whsec_"
# The standard: between 24 and 64 bytes.
_SECRET_BYTES: Final = range(24, 65)
# No full stop: `id.timestamp.body` must have one reading.
_ID_FORM: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
# Ten digits reach from 2001 to 2286; int() alone would take "1_0", " 10" and other scripts' digits.
_TIMESTAMP_FORM: Final = re.compile(r"[0-9]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the headers of a verified webhook say."""

    webhook_id: str  # the same in every attempt: who has seen it has seen this message
    timestamp: int  # of this attempt, seconds since the epoch


def parse_secret(text: str) -> bytes:
    """The key in a `whsec_…` text. Raises `InvalidSecret`, without the secret in its text."""
    if not text.startswith(_PREFIX):
        raise InvalidSecret(f"a secret begins with {_PREFIX}")
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSecret(f"what follows {_PREFIX} is not base64") from None
    if len(key) not in _SECRET_BYTES:
        raise InvalidSecret(f"a secret has 24 to 64 bytes, this one has {len(key)}")
    # One key, one spelling: decoders let the unused bits of the last character be anything.
    if secret_text(key) != text:
        raise InvalidSecret(f"what follows {_PREFIX} is not base64 in its usual spelling")
    return key


def secret_text(key: bytes) -> str:
    """`whsec_…`, as secrets are handed over."""
    return _PREFIX + base64.b64encode(key).decode("ascii")


def signed_headers(
    webhook_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """The three headers of one attempt, with a signature by each key.

    While a secret is rotated both keys sign, and the receiver changes over when it likes.
    """
    signatures = (_signature(webhook_id, str(timestamp), body, key) for key in keys)
    return {
        ID: webhook_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: " ".join(f"v1,{signature}" for signature in signatures),
    }


def verify(
    headers: Iterable[tuple[str, str]], body: bytes, keys: Sequence[bytes], *, now: float
) -> Verified:
    """What the headers say, if one of `keys` signed it. Raises `UnverifiedWebhook`, nothing else.

    `headers` as they came, names in any case, duplicates kept; `body` as it came, before anybody
    parsed it; `now` in seconds since the epoch.
    """
    if len(body) > BODY_BYTES:
        raise UnverifiedWebhook("the body is too long")
    known = list(headers)
    webhook_id = _one(known, ID)
    if not _ID_FORM.fullmatch(webhook_id):
        raise UnverifiedWebhook(f"{ID} has not 8 to 64 letters, digits, dashes")
    timestamp = _one(known, TIMESTAMP)
    if not _TIMESTAMP_FORM.fullmatch(timestamp):
        raise UnverifiedWebhook(f"{TIMESTAMP} is not ten digits")
    entries = _entries(_one(known, SIGNATURE))
    expected = [_signature(webhook_id, timestamp, body, key) for key in keys]
    # Every entry is held against every key: how long it takes says nothing about which one fits.
    fits = [hmac.compare_digest(entry, key) for entry in entries for key in expected]
    if not any(fits):
        raise UnverifiedWebhook("no signature is by a key that is known here")
    # After the signature: a stranger learns nothing about this clock.
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise UnverifiedWebhook(f"{TIMESTAMP} is {now - int(timestamp):+.0f} s off")
    return Verified(webhook_id=webhook_id, timestamp=int(timestamp))


def _one(headers: list[tuple[str, str]], name: str) -> str:
    values = [value for each, value in headers if each.lower() == name]
    if len(values) != 1:
        raise UnverifiedWebhook(f"there are {len(values)} {name} headers")
    return values[0]


def _entries(signatures: str) -> list[str]:
    """The `v1` signatures in a header; what is malformed or of another scheme is no signature."""
    if len(signatures) > _SIGNATURE_CHARACTERS:
        raise UnverifiedWebhook(f"{SIGNATURE} is too long")
    words = signatures.split(" ")
    if len(words) > _MOST_SIGNATURES:
        raise UnverifiedWebhook(f"{SIGNATURE} has more than {_MOST_SIGNATURES} entries")
    pairs = (word.partition(",") for word in words)
    # compare_digest takes text of ASCII only.
    return [value for scheme, _, value in pairs if scheme == "v1" and value.isascii()]


def _signature(webhook_id: str, timestamp: str, body: bytes, key: bytes) -> str:
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
