"""The auditor's page says how to check a journal without netproxy: its own words are followed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess  # OpenSSL, as the page says
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel import flat, read
from tests.support.evidence import lines_of, named, signed_journal

if TYPE_CHECKING:
    from otel import Value

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
SIGNED = re.compile(r"```\n(netproxy audit checkpoint v1\n.*?)```\n", re.DOTALL)


def message(checkpoint: dict[str, Value]) -> bytes:
    """The lines of the page, with the record's values put in."""
    found = SIGNED.search(PAGE.read_text())
    assert found is not None

    def value(name: re.Match[str]) -> str:
        given = checkpoint[name[1]]
        return "-" if given is None else str(given)

    return re.sub(r"<([a-z_.]+)>", value, found[1]).encode()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_a_signature_is_checked_by_openssl(tmp_path: Path) -> None:
    signed_journal(tmp_path / "audit", 3)
    (record,) = named(list(read(tmp_path / "audit", print)), "audit.checkpoint")
    checkpoint = flat(record)
    (tmp_path / "message").write_bytes(message(checkpoint))
    signature = base64.b64decode(str(checkpoint["netproxy.checkpoint.signature"]))
    (tmp_path / "signature").write_bytes(signature)
    key = tmp_path / "audit" / "keys" / f"{checkpoint['netproxy.checkpoint.key_id']}.pub"
    command = (
        f"openssl pkeyutl -verify -rawin -pubin -inkey {key} -in message -sigfile signature"
    ).split()
    assert " ".join(command).replace(str(key), "KEYID.pub") in PAGE.read_text()

    def status() -> int:
        return subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode

    assert status() == 0
    (tmp_path / "message").write_bytes(message({**checkpoint, "netproxy.checkpoint.no": 2}))
    assert status() != 0


def test_hashes_are_made_as_the_page_says(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    previous = hashlib.sha256(f"netproxy journal v1\n{writer}".encode()).digest()
    for line in lines_of(tmp_path, writer):
        fields: dict[str, Any] = json.loads(line)
        assert bytes.fromhex(fields["prev"]) == previous
        text = line.decode().rstrip("\n").replace(f'"hash":"{fields["hash"]}",', "", 1)
        previous = hashlib.sha256(previous + text.encode()).digest()
        assert fields["hash"] == previous.hex()
