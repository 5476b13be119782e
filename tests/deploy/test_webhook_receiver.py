"""The example receiver: it runs as its README says, and trusts nobody who did not sign."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from approvals.webhook.signing import secret_text, signed_headers
from tests.support.people import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = ROOT / "deploy/examples/webhook-receiver/receiver.py"
KEY, REPLY_KEY = b"k" * 32, b"r" * 32


class Receiver:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = "http://" + self.line().removeprefix("listening on ")

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def post(self, body: bytes, *, key: bytes = KEY, at: float | None = None) -> int:
        headers = signed_headers("w-12345678", int(time.time() if at is None else at), body, [key])
        request = urllib.request.Request(self.url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code


def secret_files(folder: Path) -> tuple[str, str]:
    for name, key in (("ops.out", KEY), ("ops.in", REPLY_KEY)):
        (folder / name).write_text(secret_text(key) + "\n")
        (folder / name).chmod(0o600)
    return str(folder / "ops.out"), str(folder / "ops.in")


@contextmanager
def receiver(folder: Path, *options: str) -> Iterator[Receiver]:
    out, back = secret_files(folder)
    words = [sys.executable, "-I", str(PROGRAM), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*words, "--secret-file", out, "--reply-secret-file", back, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Receiver(process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_it_takes_what_is_signed_once_and_shows_it_escaped(tmp_path: Path) -> None:
    ended = {"type": "approval.resolved", "data": {"destination": "a\x1b[2J", "status": "denied"}}
    body = json.dumps(ended).encode()
    with receiver(tmp_path) as running:
        assert running.post(body, key=REPLY_KEY) == 401
        assert running.post(body, at=time.time() - 400) == 401
        assert running.post(body) == running.post(body) == 204
        assert running.line() == "- a\\x1b[2J: denied"
        other = json.dumps({"type": "endpoint.ping", "data": {"schema": 1}}).encode()
        request = urllib.request.Request(running.url, other, {"webhook-signature": "v1,x"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code == 401
        refused.value.close()
