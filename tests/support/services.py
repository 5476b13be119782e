"""`netproxy serve` in a process of its own, from its first line to its exit status."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.support.runs import Netproxy

_LISTENS = re.compile(r"listening on (\S+) \((.*)\)\n")
_PATIENCE_SECONDS = 40.0


class Service:
    """Started by entering; `stop` sends SIGTERM and waits. It writes into the person's journal."""

    def __init__(
        self,
        netproxy: Netproxy,
        *options: str,
        environment: dict[str, str] | None = None,
        listen: tuple[str, ...] = ("--listen", "127.0.0.1:0"),
        prefix: tuple[str, ...] = (),
    ) -> None:
        self._words = ("serve", *listen, "--audit-dir", str(netproxy.audit), *options)
        self._argv = [*prefix, *netproxy.argv(*self._words)]
        self._netproxy = netproxy
        self._environment = environment or {}
        self.err = ""
        self.addresses: list[str] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._argv,
            cwd=self._netproxy.workspace,
            env=self._netproxy.environment(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        for text, times in self._opening().items():
            self.says(text, times=times)
        self.addresses = [found[0] for found in _LISTENS.findall(self.err)]
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(_PATIENCE_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    @property
    def address(self) -> str:
        """Of its first listener."""
        return self.addresses[0]

    @property
    def pid(self) -> int:
        """Of the gateway: whatever started it has become it."""
        return self.process.pid

    @property
    def where(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    def _opening(self) -> dict[str, int]:
        """How often it says what before it serves: a line for each thing that listens."""
        others = {f"{name} on": self._words.count(f"--{name}") for name in ("health", "metrics")}
        return {"listening on": max(1, self._words.count("--listen")), **others}

    def says(self, text: str, *, times: int = 1) -> None:
        """Wait until it has said that."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while self.err.count(text) < times:
            assert self.process.poll() is None, self.err
            assert time.monotonic() < give_up, self.err
            time.sleep(0.005)
        time.sleep(0.02)  # the lines that come with it

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        """Its exit status."""
        status = self.process.wait(_PATIENCE_SECONDS)
        self._reader.join(_PATIENCE_SECONDS)
        return status

    def stop(self) -> int:
        self.signal()
        return self.ends()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.err += line
