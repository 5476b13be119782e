"""Which files of tokens are taken, and that no token is ever repeated."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from netproxy.app.token_file import credentials_of, read_token_file
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a-long-enough-token"
HEX = sha256(b"another-long-token").hexdigest()


def file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    path.write_text(text)
    path.chmod(mode)
    return path


def problems(path: Path, **environ: str) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        read_token_file(path, environ)
    assert SECRET not in str(caught.value)
    return tuple(problem.removeprefix(f"{path}:").strip() for problem in caught.value.problems)


def test_a_token_or_its_digest_and_a_profile(tmp_path: Path) -> None:
    path = file(tmp_path, f"# who\n\nbuilds:{SECRET}\n  deploy@ci:sha256:{HEX}\n")
    builds, deploy = read_token_file(path, {})
    assert (builds.identity, builds.profile) == ("builds", None)
    assert (deploy.identity, deploy.profile) == ("deploy", "ci")
    credentials = credentials_of((builds, deploy))
    assert credentials.identify(SECRET.encode()) == "builds"
    assert credentials.identify(b"another-long-token") == "deploy"
    assert credentials.identify(HEX.encode()) is None, "a digest is no token"
    assert SECRET not in repr((builds, deploy, credentials))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("builds", "1: is not NAME:TOKEN"),
        (SECRET, "1: is not NAME:TOKEN"),
        (f":{SECRET}", "1: the name is not a label of up to 64 letters, digits, dots, dashes"),
        (f"a b:{SECRET}", "1: the name is not a label of up to 64 letters, digits, dots, dashes"),
        (f"a@:{SECRET}", "1: a: the profile has no name"),
        ("a:", "1: a: a token has letters, digits and -._~+/ only"),
        ("a:with space and more", "1: a: a token has letters, digits and -._~+/ only"),
        ("a:fifteen-letters", "1: a: a token has at least 16 characters: openssl rand -base64 24"),
        ("a:sha256:12", "1: a: sha256: is followed by 64 hexadecimal digits"),
        (f"a:{SECRET}\na:other-{SECRET}", "a is there twice"),
        (f"a:{SECRET}\nb:{SECRET}", "b and a have the same token"),
        ("# none", "holds no token"),
    ],
)
def test_what_is_not_clear_is_not_taken(tmp_path: Path, line: str, problem: str) -> None:
    assert problems(file(tmp_path, line + "\n")) == (problem,)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    assert len(problems(file(tmp_path, "a\nb:short\n"))) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_others_may_not_open_it(tmp_path: Path, mode: int) -> None:
    path = file(tmp_path, f"a:{SECRET}\n", mode)
    assert problems(path) == ("others may open it: chmod 600",)
    assert problems(path, CREDENTIALS_DIRECTORY="/elsewhere")
    assert problems(path, CREDENTIALS_DIRECTORY="")
    # systemd's own folder: an access control list looks like a group's permission.
    assert read_token_file(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_it_has_to_be_a_file_of_ours(tmp_path: Path) -> None:
    assert problems(tmp_path / "none") == ("there is no such file",)
    assert problems(tmp_path) == ("is not a regular file",)
    if os.getuid() == 0:
        path = file(tmp_path, f"a:{SECRET}\n")
        os.chown(path, 12345, 12345)
        assert problems(path) == ("belongs to somebody else",)
