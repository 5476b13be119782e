"""Speaks to the gateways of this user that live: HTTP/1.1 over their control sockets.

Whatever they say was written by our own code, and may hold text that a command chose; the documents
of the API have made that visible.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netproxy.app.control_socket import ControlRefused, connect, control_folder, control_sockets
from netproxy.app.home import home_of
from netproxy.errors import InvalidSettings
from otel import visible
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    type Document = dict[str, Any]

EXIT_RESOLVED = os.EX_DATAERR  # 65: somebody was faster, it has expired, or it has changed
EXIT_NOTHING = os.EX_NOINPUT  # 66: no such approval or grant
EXIT_NO_GATEWAY = os.EX_UNAVAILABLE  # 69
EXIT_LATER = os.EX_TEMPFAIL  # 75: the store is down
EXIT_REFUSED = os.EX_NOPERM  # 77
EXIT_CONFIG = os.EX_CONFIG  # 78: nobody knows where this user's gateways would be

_STATUSES = {
    400: os.EX_SOFTWARE,
    403: EXIT_REFUSED,
    404: EXIT_NOTHING,
    409: EXIT_RESOLVED,
    410: EXIT_RESOLVED,
    422: os.EX_USAGE,
    503: EXIT_LATER,
}
# What a gateway has not, and won't have later.
_LACKING = {"urn:netproxy:problem:no_inbox", "urn:netproxy:problem:no_store"}
# The first request makes a gateway import what it answers with; a slow machine takes seconds.
_SECONDS = 15.0
# A gateway gives a sign of life every 15 s.
_SILENCE_SECONDS = 45.0
_OK = 200


class CliFailed(Exception):
    """What ends the command: one line for people, and the exit status."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


class Refused(CliFailed):
    """A gateway's own no. `problem` is its document (RFC 9457)."""

    def __init__(self, problem: Document) -> None:
        detail = visible(str(problem.get("detail", "refused")), limit=500)
        status = _STATUSES.get(int(problem.get("status", 0)), os.EX_SOFTWARE)
        lacks = problem.get("type") in _LACKING
        super().__init__(detail, EXIT_NO_GATEWAY if lacks else status)
        self.problem = problem


class Gone(Exception):
    """This gateway does not live any more, or does not answer."""


class Silent(Gone):
    """It lives, and does not answer."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One that listens, or listened a moment ago."""

    folder: Path
    name: str  # of its socket
    patience_seconds: float = _SECONDS

    def ask(self, method: str, path: str, body: Document | None = None) -> Document:
        """One request. Raises `Refused` or `Gone`."""
        connection = _Connection(self.folder, self.name, self.patience_seconds)
        try:
            text = None if body is None else json.dumps(body)
            fields = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, text, fields)
            response = connection.getresponse()
            document: Document = json.loads(response.read())
        except (TimeoutError, BlockingIOError):  # the latter: others wait in its queue already
            where = self.folder / self.name
            raise Silent(
                f"{where}: a gateway of yours does not answer; stopped? fg, or kill -CONT"
            ) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Gone(f"{self.folder / self.name}: {error}") from None
        finally:
            connection.close()
        if response.status != _OK:
            raise Refused(document)
        return document

    def feed(self) -> Feed:
        """Open its feed of changes. Raises `Gone`."""
        connection = _Connection(self.folder, self.name, self.patience_seconds)
        try:
            connection.request("GET", "/v1/changes")
            raw = connection.sock  # the connection forgets it when it knows how the answer ends
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Gone(f"{self.folder / self.name}: {error}") from None
        if response.status != _OK:
            connection.close()
            raise Gone(f"{self.folder / self.name}: refused ({response.status})")
        return Feed(raw, response)


class Feed:
    """A stream of changes, a line each; empty lines are signs of life."""

    def __init__(self, raw: socket.socket, response: http.client.HTTPResponse) -> None:
        raw.settimeout(_SILENCE_SECONDS)
        self._raw = raw
        self._response = response

    def lines(self) -> Iterator[Document | None]:
        """Each change; None for a sign of life. Ends with the gateway."""
        try:
            while line := self._response.readline():
                yield json.loads(line) if line.strip() else None
        except (OSError, ValueError, http.client.HTTPException):
            return
        finally:
            self._response.close()

    def close(self) -> None:
        """Hang up. Whoever reads in another thread finds the end, and closes what it reads."""
        with suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    """The same over a local socket; the gateway does not look at names there."""

    sock: socket.socket

    def __init__(self, folder: Path, name: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._folder, self._name, self._seconds = folder, name, seconds

    def connect(self) -> None:
        self.sock = connect(self._folder, self._name, self._seconds)


def own_folder(environ: Mapping[str, str]) -> Path:
    """Where the sockets of this user's gateways lie. Raises `CliFailed` without a home."""
    try:
        return control_folder(environ, home_of(environ))
    except InvalidSettings as invalid:
        raise CliFailed(str(invalid), EXIT_CONFIG) from None


def gateways(environ: Mapping[str, str]) -> tuple[Gateway, ...]:
    """All that may live. Raises `CliFailed` where there is none, or the folder is not ours."""
    folder = own_folder(environ)
    try:
        found = tuple(Gateway(folder, name) for name in control_sockets(folder))
    except ControlRefused as refused:
        raise CliFailed(str(refused), EXIT_NO_GATEWAY) from None
    if not found:
        raise _nobody(folder)
    return found


def ask_all(environ: Mapping[str, str], path: str) -> list[tuple[Gateway, Document]]:
    """Ask every gateway that lives the same, side by side: one may be stopped (Ctrl-Z).

    Raises `CliFailed` where none answers.
    """
    every = gateways(environ)
    heard: list[Document | Refused | Gone | None] = [None] * len(every)

    def ask(number: int) -> None:
        try:
            heard[number] = every[number].ask("GET", path)
        except (Refused, Gone) as failed:
            heard[number] = failed

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(every))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = [
        (gateway, told)
        for gateway, told in zip(every, heard, strict=True)
        if isinstance(told, dict)
    ]
    if not answers:
        raise _unanswered([told for told in heard if isinstance(told, Exception)], every[0].folder)
    return answers


def ask_first(
    environ: Mapping[str, str], method: str, path: str, body: Document | None = None
) -> tuple[Gateway, Document]:
    """Ask one gateway after the other, until one has what is asked for. Raises `CliFailed`."""
    every = gateways(environ)
    failures: list[Exception] = []
    for gateway in every:
        try:
            return gateway, gateway.ask(method, path, body)
        except Gone as gone:
            failures.append(gone)
        except Refused as refused:
            if refused.problem.get("type") not in _LACKING:
                raise
            failures.append(refused)
    raise _unanswered(failures, every[0].folder)


def _unanswered(failures: list[Exception], folder: Path) -> CliFailed:
    """Say why nobody answered, by the best reason that there is."""
    for failure in failures:
        if isinstance(failure, Refused):
            return failure
    for failure in failures:
        if isinstance(failure, Silent):
            return CliFailed(str(failure), EXIT_NO_GATEWAY)
    return _nobody(folder)


def _nobody(folder: Path) -> CliFailed:
    what = f"no gateway of yours runs here now (looked in {folder})"
    return CliFailed(what, EXIT_NO_GATEWAY)
