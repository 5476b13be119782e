"""Whose secret a client shows, where a listener asks for one. Pure.

Only SHA-256 digests are held, so neither a dump nor a record can hold a secret. Secrets are long
and random (a token, not a person's password), so a fast digest is enough. How one is shown on the
wire: RFC 1929 for SOCKS5 (`netproxy.protocol.socks5`), RFC 7617 and RFC 6750 for HTTP.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, NewType, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a secret stands for: the name that the operator gave to a profile and session.
Identity = NewType("Identity", str)

_DIGEST_BYTES = 32


class Credentials:
    """The secrets that a listener takes, each for one identity."""

    __slots__ = ("_digests",)

    def __init__(self, digests: Mapping[Identity, bytes]) -> None:
        """`digests` are SHA-256 of the secrets. Raises ValueError if they can't tell who it is."""
        if not digests:
            raise ValueError("a listener that asks for a secret needs at least one")
        if any(len(digest) != _DIGEST_BYTES for digest in digests.values()):
            raise ValueError(f"a SHA-256 digest has {_DIGEST_BYTES} bytes")
        if len(set(digests.values())) != len(digests):
            raise ValueError("two identities share a secret")
        self._digests = tuple(digests.items())

    @classmethod
    def of(cls, secrets: Mapping[Identity, bytes]) -> Self:
        """Take the secrets themselves, and forget them. Raises ValueError, for an empty one too."""
        if not all(secrets.values()):
            raise ValueError("a secret may not be empty")
        return cls({who: sha256(secret).digest() for who, secret in secrets.items()})

    def identify(self, secret: bytes) -> Identity | None:
        """Whose secret it is; None if nobody's.

        It takes as long whether or how nearly it matches: what is compared are digests, in
        constant time (CWE-208), and always all of them.
        """
        shown = sha256(secret).digest()
        found: Identity | None = None
        for who, digest in self._digests:
            if compare_digest(digest, shown):
                found = who
        return found

    def __repr__(self) -> str:
        return f"Credentials({', '.join(who for who, _ in self._digests)})"
