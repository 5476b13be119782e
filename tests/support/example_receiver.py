"""The example receiver of deploy/examples, in a process of its own."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from approvals.webhook.signing import secret_text, signed_headers
from tests.support.people import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = ROOT / "deploy/examples/webhook-receiver/receiver.py"
KEY, REPLY_KEY = b"k" * 32, b"r" * 32


class Receiver:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        self.url = "http://" + self.line().removeprefix("listening on ")

    def _read(self, stdout: IO[str]) -> None:
        with suppress(ValueError):  # closed at the end of the test
            for line in stdout:
                self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """The next one; a receiver that says nothing is a failure, and no hang."""
        return self._lines.get(timeout=20)

    def post(self, body: bytes, *, key: bytes = KEY, at: float | None = None) -> int:
        headers = signed_headers("w-12345678", int(time.time() if at is None else at), body, [key])
        request = urllib.request.Request(self.url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
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
