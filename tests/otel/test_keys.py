from __future__ import annotations

import os
import stat
import subprocess  # OpenSSL reads what we wrote, and the other way round
import sys
from typing import TYPE_CHECKING

import pytest

from otel import keys
from otel.errors import AuditUnavailable, KeyUnusable

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b"netproxy\n"


def test_a_key_is_made_at_first_use(tmp_path: Path) -> None:
    first, second = keys.open_key(tmp_path, None), keys.open_key(tmp_path, None)
    assert (first.seed, first.key_id) == (second.seed, second.key_id)
    paths = sorted((tmp_path / "keys").iterdir())
    assert [path.name for path in paths] == sorted(["checkpoint.key", f"{first.key_id}.pub"])
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]


def test_a_signature_is_its_keys_and_its_messages(tmp_path: Path) -> None:
    key, other = keys.open_key(tmp_path / "a", None), keys.open_key(tmp_path / "b", None)
    public = keys.public_keys(tmp_path / "a")[key.key_id]
    signature = key.sign(MESSAGE)
    assert keys.is_signed(public, signature, MESSAGE)
    assert not keys.is_signed(public, signature, MESSAGE + b" ")
    assert not keys.is_signed(public, other.sign(MESSAGE), MESSAGE)
    assert not keys.is_signed(bytes(31), signature, MESSAGE)


def test_seals_differ_by_key_and_message(tmp_path: Path) -> None:
    key, other = keys.open_key(tmp_path / "a", None), keys.open_key(tmp_path / "b", None)
    seals = {key.seal(b"a"), key.seal(b"b"), other.seal(b"a")}
    assert len(seals) == 3
    assert key.seal(b"a") in seals


def test_the_seed_is_not_shown(tmp_path: Path) -> None:
    key = keys.open_key(tmp_path, None)
    assert "seed" not in repr(key)


def test_many_at_once_have_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from otel import keys\n"
        "print(keys.open_key(Path(sys.argv[1]), None).key_id)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert len({process.communicate(timeout=30)[0] for process in processes}) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 2


def test_the_signing_library_is_not_loaded_for_a_key_that_is_known(tmp_path: Path) -> None:
    keys.open_key(tmp_path, None)
    program = (
        "import sys; from pathlib import Path; from otel import keys\n"
        "keys.open_key(Path(sys.argv[1]), None); print('cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, check=True, text=True
    )
    assert done.stdout == "False\n"


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    """A private key at a place of the operator's, as a tool of his made it."""
    path = tmp_path / "mine.pem"
    keys.open_key(tmp_path / "elsewhere", None)
    path.write_bytes((tmp_path / "elsewhere" / "keys" / "checkpoint.key").read_bytes())
    path.chmod(0o600)
    return path


def test_a_signing_library_that_does_not_load_is_no_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no memory for it (ulimit -v) a run ends as ever, and unsigned."""
    key = keys.open_key(tmp_path, None)
    library = "cryptography.hazmat.primitives.asymmetric.ed25519"
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(AuditUnavailable, match="nothing can be signed"):
        key.sign(MESSAGE)


def test_a_key_at_a_chosen_place(tmp_path: Path, chosen: Path) -> None:
    audit = tmp_path / "audit"
    key = keys.open_key(audit, chosen)
    assert [path.name for path in (audit / "keys").iterdir()] == [f"{key.key_id}.pub"]
    assert keys.open_key(audit, chosen).key_id == key.key_id


def test_a_public_file_that_somebody_put_there_names_no_key_of_ours(
    tmp_path: Path, chosen: Path
) -> None:
    """Else the start would say that another key signs."""
    audit = tmp_path / "audit"
    other = keys.open_key(audit, None)
    key = keys.open_key(audit, chosen)
    assert key.key_id != other.key_id
    assert keys.public_keys(audit).keys() == {key.key_id, other.key_id}
    (audit / "keys" / "a.pub").write_text("-----BEGIN PUBLIC KEY-----\n" * 2)
    assert keys.public_keys(audit).keys() == {key.key_id, other.key_id}


def unusable(path: Path, directory: Path) -> str:
    with pytest.raises(KeyUnusable) as caught:
        keys.open_key(directory, path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_a_chosen_key_is_never_made(tmp_path: Path) -> None:
    assert "no such file" in unusable(tmp_path / "none.pem", tmp_path)
    assert not (tmp_path / "none.pem").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, chosen: Path, mode: int) -> None:
    chosen.chmod(mode)
    assert "chmod 600" in unusable(chosen, tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_somebody_else_is_refused(tmp_path: Path, chosen: Path) -> None:
    os.chown(chosen, 65534, 65534)
    assert "belongs to user 65534" in unusable(chosen, tmp_path)


def test_a_link_is_refused(tmp_path: Path, chosen: Path) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(chosen)
    unusable(link, tmp_path)
    unusable(tmp_path, tmp_path)  # and a folder


# It can't sign: the same length, another object identifier.
_X25519 = (
    b"-----BEGIN PRIVATE KEY-----\n"
    b"MC4CAQAwBQYDK2VuBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
    b"-----END PRIVATE KEY-----\n"
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIA==\n-----END PRIVATE KEY-----\n",
        _X25519,
    ],
)
def test_what_is_no_ed25519_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    assert "not an Ed25519 private key" in unusable(path, tmp_path)


def test_the_library_reads_our_files(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_pem_public_key,
    )

    key = keys.open_key(tmp_path, None)
    folder = tmp_path / "keys"
    private = load_pem_private_key((folder / "checkpoint.key").read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    assert private.private_bytes_raw() == key.seed
    public = load_pem_public_key((folder / f"{key.key_id}.pub").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    assert public.public_bytes_raw() == keys.load_public(folder / f"{key.key_id}.pub")
    public.verify(key.sign(MESSAGE), MESSAGE)


def test_a_directory_without_keys_has_none(tmp_path: Path) -> None:
    assert keys.public_keys(tmp_path) == {}
    with pytest.raises(KeyUnusable):
        keys.load_public(tmp_path / "none.pub")
    with pytest.raises(KeyUnusable):
        keys.load_public(tmp_path)
