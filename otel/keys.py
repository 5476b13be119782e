"""The key that signs checkpoints: one Ed25519 key for an audit directory.

    DIR/keys/checkpoint.key   the private one (0600, PKCS #8), unless settings name another place
    DIR/keys/KEYID.pub        a public one (SubjectPublicKeyInfo): each key that ever signed here

Both are PEM as OpenSSL writes and reads it. The library that signs takes 25 ms to load, which a
start must not wait for: a public file also says, by a keyed hash, which private key it belongs to,
so a start knows its key's id without that library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from otel import durable, folders
from otel.errors import AuditUnavailable, JournalBroken, KeyUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FOLDER = "keys"
_PRIVATE = "checkpoint.key"
_PUBLIC = ".pub"
# RFC 8410 section 7 (PrivateKeyInfo without attributes) and section 4, in front of 32 bytes each.
_PRIVATE_DER = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC_DER = bytes.fromhex("302a300506032b6570032100")
_KEY_BYTES = 32
_LIMIT = 16 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SigningKey:
    """A private key, not yet loaded into the library that signs."""

    __slots__ = ("_loaded", "key_id", "seed")

    def __init__(self, seed: bytes, key_id: str) -> None:
        self.seed = seed
        self.key_id = key_id
        self._loaded: Ed25519PrivateKey | None = None

    def sign(self, message: bytes) -> bytes:
        """Sign. 40 us, and 25 ms the first time. Raises AuditUnavailable."""
        if self._loaded is None:
            try:
                from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            except ImportError as error:  # also where there is no memory for it (ulimit -v)
                raise AuditUnavailable(f"nothing can be signed: {error}") from error
            self._loaded = Ed25519PrivateKey.from_private_bytes(self.seed)
        return self._loaded.sign(message)

    def seal(self, message: bytes) -> str:
        """A keyed hash that only this key's holder can make: cheap, for our own eyes."""
        return _keyed(self.seed, "head", message)


def key_id(public: bytes) -> str:
    """Name of a public key: half of its SHA-256, so nobody finds another key of that name."""
    return hashlib.sha256(public).hexdigest()[:32]


def open_key(directory: Path, chosen: Path | None) -> SigningKey:
    """Read the private key; made here at first use, but never at a place that settings chose.

    Raises `KeyUnusable`, in one line, also when others than this user may read it: then what it
    signs proves nothing.
    """
    path = chosen or directory / FOLDER / _PRIVATE
    try:
        seed = _read_private(path)
        if seed is None:
            if chosen is not None:
                raise KeyUnusable(
                    f"audit key {path}: no such file; openssl genpkey -algorithm ed25519"
                )
            seed = _make(directory / FOLDER)
        return SigningKey(seed, _id_of(directory / FOLDER, seed))
    except OSError as error:
        raise KeyUnusable(f"audit key {path}: {error.strerror}") from error
    except JournalBroken as error:
        raise KeyUnusable(f"audit key {path}: {error}") from error


def public_keys(directory: Path) -> dict[str, bytes]:
    """Every public key beside the journals, by its id. A file that is none is passed over."""
    return {key_id(public): public for public, _ in _public_files(directory / FOLDER)}


def load_public(path: Path) -> bytes:
    """Read one public key from PEM: its 32 bytes. Raises `KeyUnusable`."""
    return _inside(_public_text(path), "PUBLIC KEY", _PUBLIC_DER, path)


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of this key's other half signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_pem(public: bytes) -> str:
    """The text of a public key's file."""
    return _pem("PUBLIC KEY", _PUBLIC_DER + public)


def _read_private(path: Path) -> bytes | None:
    try:
        descriptor = folders.open_for_reading(path)
    except FileNotFoundError:
        return None
    status = os.fstat(descriptor)
    problem = None
    if status.st_mode & _OTHERS:
        problem = f"others may read it (mode {stat.S_IMODE(status.st_mode):04o}); chmod 600"
    elif status.st_uid not in {0, os.geteuid()}:
        problem = f"belongs to user {status.st_uid}, not to user {os.geteuid()}"
    if problem is not None:
        os.close(descriptor)
        raise KeyUnusable(f"audit key {path}: {problem}")
    return _inside(_read(descriptor), "PRIVATE KEY", _PRIVATE_DER, path)


def _read(descriptor: int) -> str:
    with open(descriptor, "rb") as file:
        return file.read(_LIMIT).decode("ascii", errors="replace")


def _inside(text: str, label: str, prefix: bytes, path: Path) -> bytes:
    """The 32 bytes of a key, from its PEM (RFC 7468)."""
    _, begin, rest = text.partition(f"-----BEGIN {label}-----")
    body, end, _ = rest.partition(f"-----END {label}-----")
    try:
        encoded = base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error:
        encoded = b""
    is_key = len(encoded) == len(prefix) + _KEY_BYTES and encoded.startswith(prefix)
    if not begin or not end or not is_key:
        raise KeyUnusable(f"{path}: not an Ed25519 {label.lower()} in PEM")
    return encoded[len(prefix) :]


def _pem(label: str, encoded: bytes) -> str:
    body = base64.b64encode(encoded).decode("ascii")
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def _make(folder: Path) -> bytes:
    """A new key, or the one that another process made at this moment."""
    seed = os.urandom(_KEY_BYTES)
    if durable.put_new(folder, _PRIVATE, _pem("PRIVATE KEY", _PRIVATE_DER + seed).encode()):
        return seed
    theirs = _read_private(folder / _PRIVATE)
    assert theirs is not None, "it was there just now"
    return theirs


def _id_of(folder: Path, seed: bytes) -> str:
    """The key's id, from the public file that is bound to it; made if there is none."""
    for public, text in _public_files(folder):
        bound = text.rpartition("bound=")[2].strip()
        if hmac.compare_digest(bound.encode(), _keyed(seed, "public", public).encode()):
            return key_id(public)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    name = key_id(public)
    text = f"{public_pem(public)}bound={_keyed(seed, 'public', public)}\n"
    durable.put_new(folder, name + _PUBLIC, text.encode())
    return name


def _public_files(folder: Path) -> Iterator[tuple[bytes, str]]:
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if entry.name.endswith(_PUBLIC))
    except OSError:
        return
    for name in names:
        with suppress(KeyUnusable):
            text = _public_text(folder / name)
            yield _inside(text, "PUBLIC KEY", _PUBLIC_DER, folder / name), text


def _public_text(path: Path) -> str:
    try:
        return _read(folders.open_for_reading(path))
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from error
    except JournalBroken as error:
        raise KeyUnusable(str(error)) from error


def _keyed(seed: bytes, purpose: str, message: bytes) -> str:
    return hmac.digest(seed, f"netproxy audit {purpose} v1\n".encode() + message, "sha256").hex()
