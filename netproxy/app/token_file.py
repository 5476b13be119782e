"""The file of the tokens that `netproxy serve` takes, one a line: whose it is, and the token.

    # name[@profile]:token, or what `printf %s TOKEN | sha256sum` says of it
    builds:6hW…
    deploy@ci:sha256:9f86d0…

A token is never shown again: not in a record, not in an error.
"""

from __future__ import annotations

import os
import re
import stat
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.regular_file import read_regular
from netproxy.connection.credentials import Credentials, Identity
from netproxy.errors import InvalidSettings
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

# The name becomes that of a session, so it is spelled like one (`--session`).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PROFILE = re.compile(r"[^\s:@]+")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{64}")
# Nothing that a client would have to quote: token68 (RFC 9110 section 11.2).
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# 96 bits in base64. Who may guess does so as fast as we answer.
_SHORTEST = 16
_HASHED = "sha256:"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a token, and under which profile. None: the one that holds without a name."""

    identity: Identity
    profile: str | None
    digest: bytes  # SHA-256 of the token


def read_token_file(path: Path, environ: Mapping[str, str]) -> tuple[Holder, ...]:
    """Read all lines. Raises `InvalidSettings` with every problem."""
    try:
        content, found = read_regular(path)
    except FileNotFoundError:
        raise InvalidSettings((f"{path}: there is no such file",)) from None
    if found.st_mode & _OTHERS and not _is_handed_over(path, environ):
        raise InvalidSettings((f"{path}: others may open it: chmod 600",))
    if found.st_uid not in {0, os.geteuid()}:
        raise InvalidSettings((f"{path}: belongs to somebody else",))
    problems: list[str] = []
    holders: list[Holder] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        holder = _holder(line.strip())
        if isinstance(holder, Holder):
            holders.append(holder)
        else:
            problems.append(f"{path}:{number}: {holder}")
    if not problems and not holders:
        problems.append(f"{path}: holds no token")
    problems += [f"{path}: {what}" for what in _ambiguities(holders)]
    if problems:
        raise InvalidSettings(tuple(problems))
    return tuple(holders)


def credentials_of(holders: tuple[Holder, ...]) -> Credentials:
    """What a listener compares with."""
    return Credentials({holder.identity: holder.digest for holder in holders})


def _is_handed_over(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether systemd put it there for this service only (LoadCredential=).

    It lets us in by an access control list, which looks like a group's permission.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    return folder.startswith("/") and path.parent == Path(folder)


def _holder(line: str) -> Holder | str:
    """One line's holder, or what is wrong with it, without its token."""
    who, colon, token = line.partition(":")
    name, at, profile = who.partition("@")
    if not colon:
        return "is not NAME:TOKEN"
    if not _NAME.fullmatch(name):
        return "the name is not a label of up to 64 letters, digits, dots, dashes"
    if at and not _PROFILE.fullmatch(profile):
        return f"{name}: the profile has no name"
    digest = _digest(token)
    if isinstance(digest, str):
        return f"{name}: {digest}"
    return Holder(identity=Identity(name), profile=profile or None, digest=digest)


def _digest(token: str) -> bytes | str:
    """SHA-256 of it, or what is wrong with it."""
    if token.startswith(_HASHED):
        digits = token.removeprefix(_HASHED)
        if not _HEXADECIMAL.fullmatch(digits):
            return "sha256: is followed by 64 hexadecimal digits"
        return bytes.fromhex(digits)
    if not _TOKEN.fullmatch(token):
        return "a token has letters, digits and -._~+/ only"
    if len(token) < _SHORTEST:
        return f"a token has at least {_SHORTEST} characters: openssl rand -base64 24"
    return sha256(token.encode("ascii")).digest()


def _ambiguities(holders: list[Holder]) -> list[str]:
    names = [holder.identity for holder in holders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return [f"{name} is there twice" for name in twice]
    owners: dict[bytes, str] = {}
    return [
        f"{holder.identity} and {first} have the same token"
        for holder in holders
        if (first := owners.setdefault(holder.digest, holder.identity)) != holder.identity
    ]
