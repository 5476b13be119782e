"""The sinks that settings files name, checked, with the secrets that they need.

Imported when a file has some. Secrets come from files that only their owner may read and that the
command can't see: never from a settings file, which ends up in listings and copies.
"""

from __future__ import annotations

import os
import socket
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netproxy.app.places import config_home
from netproxy.app.secret_file import OTHERS, OTHERS_WRITE, read_secret
from netproxy.errors import InvalidSettings
from netproxy.policy.hosts import shown
from netproxy.policy.origin import Layer
from otel import (
    ExportRefused,
    FileSettings,
    OtlpSettings,
    SinkSettings,
    logs_endpoint,
    parse_headers,
    without_doubles,
)
from otel.sinks import Protocol
from otel.values import dataclass
from sandbox.errors import PlanRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netproxy.policy.audit_tables import SinkTable
    from netproxy.policy.layers import Statement
    from netproxy.policy.origin import Origin
    from sandbox.plan import Plan

_PORTS = {"http": 80, "https": 443}
_EVERYWHERE = frozenset(("0.0.0.0", "::"))  # noqa: S104  # compared with, not listened on
_OF_OTLP = (
    "endpoint",
    "protocol",
    "headers_file",
    "certificate",
    "client_certificate",
    "client_key",
)


def sinks_of(
    said: Iterable[Statement[SinkTable]],
    given: Iterable[SinkSettings],
    *,
    environ: Mapping[str, str],
    home: Path,
) -> tuple[SinkSettings, ...]:
    """Sinks of files, then those given otherwise. Raises `InvalidSettings` with every problem.

    The managed file's come first in `said`: whoever names one of them again changes nothing.
    """
    problems: list[str] = []
    sinks: list[SinkSettings] = []
    folder = config_home(environ, home)
    for statement in said:
        reader = _Reader(statement.origin, home, folder)
        try:
            sinks.append(reader.sink(statement.value))
        except InvalidSettings as invalid:
            problems += [f"{statement.origin.place}: {what}" for what in invalid.problems]
    if problems:
        raise InvalidSettings(tuple(problems))
    return without_doubles((*sinks, *given))


def refuse_writable(sinks: Iterable[SinkSettings], plan: Plan) -> None:
    """Refuse a file of records that the command could forge. Raises `PlanRefused`."""
    for sink in sinks:
        if not isinstance(sink, FileSettings):
            continue
        folder = os.path.realpath(Path(sink.path).parent)
        if plan.lets_write(folder):
            raise PlanRefused(
                f"{sink.place}: the command may write in {folder}, so records there prove nothing; "
                "choose a folder that it can't write"
            )


def listening_there(endpoint: str, taken: Iterable[tuple[str, int]]) -> bool:
    """Whether one of these listeners, by address and port, is what a URL leads to.

    A name is compared as it stands, but for this host's own: it is looked up by whoever exports.
    """
    parts = urlsplit(endpoint)
    port = parts.port or _PORTS[parts.scheme]
    host = (parts.hostname or "").rstrip(".").lower()
    here = _addresses_of(host)
    return any(
        port == taken_port
        and (address in here or (address in _EVERYWHERE and any(map(_is_ours, here))))
        for address, taken_port in taken
    )


def _is_ours(address: str) -> bool:
    """Whether this host has it: only then can a socket be bound to it (bind(2))."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _addresses_of(host: str) -> frozenset[str]:
    """This host's addresses that a URL's host may mean; none for other hosts."""
    if host in {"localhost", socket.gethostname().lower()} or host.endswith(".localhost"):
        return frozenset(("127.0.0.1", "::1"))
    try:
        address = ip_address(host)
    except ValueError:
        return frozenset()
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    # To connect to no address is to connect to this host.
    mine = {"127.0.0.1", "::1"} if address.is_unspecified else {str(address)}
    return frozenset(mine)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one table. What is wrong, it raises without the place."""

    origin: Origin
    home: Path
    folder: Path  # of the user's settings, which a command can't see

    def sink(self, table: SinkTable) -> SinkSettings:
        if table.type == "ocsf":
            return self._file(table)
        return self._collector(table)

    def _file(self, table: SinkTable) -> FileSettings:
        if strange := [key for key in _OF_OTLP if getattr(table, key) is not None]:
            raise InvalidSettings((f"{strange[0]} is for type 'otlp', not 'ocsf'",))
        if table.path is None:
            raise InvalidSettings(("path is missing: the file to append to",))
        path = self._path("path", table.path)
        if not path.parent.is_dir():
            raise InvalidSettings((f"path: there is no folder {path.parent}",))
        return FileSettings(path=str(path), required=table.required, place=self.origin.place)

    def _collector(self, table: SinkTable) -> OtlpSettings:
        if table.path is not None:
            raise InvalidSettings(("path is for type 'ocsf', not 'otlp'",))
        if table.endpoint is None:
            raise InvalidSettings(("endpoint is missing: the receiver's URL",))
        if (table.client_certificate is None) != (table.client_key is None):
            raise InvalidSettings(("client_certificate and client_key go together",))
        protocol = Protocol(table.protocol or Protocol.HTTP)
        try:
            endpoint = logs_endpoint(table.endpoint, protocol)
            headers = self._headers(table.headers_file)
        except ExportRefused as refused:
            raise InvalidSettings((f"endpoint: {refused}",)) from None
        return OtlpSettings(
            endpoint=endpoint,
            protocol=protocol,
            headers=headers,
            certificate=self._certificate("certificate", table.certificate),
            client_certificate=self._certificate("client_certificate", table.client_certificate),
            client_key=self._key_file(table.client_key),
            required=table.required,
            place=self.origin.place,
        )

    def _headers(self, text: str | None) -> dict[str, str]:
        if text is None:
            return {}
        content = self._secret("headers_file", text).decode("ascii", "replace")
        lines = (line.strip() for line in content.splitlines())
        pairs = ",".join(line for line in lines if line and not line.startswith("#"))
        try:
            return parse_headers(pairs, origin="headers_file")
        except ExportRefused as refused:
            raise InvalidSettings((str(refused),)) from None

    def _certificate(self, key: str, text: str | None) -> str | None:
        if text is None:
            return None
        path = self._path(key, text)
        if not os.access(path, os.R_OK) or not path.is_file():
            raise InvalidSettings((f"{key}: {path} is not a file that can be read",))
        return str(path)

    def _key_file(self, text: str | None) -> str | None:
        if text is None:
            return None
        self._secret("client_key", text)
        return str(self._path("client_key", text))

    def _secret(self, key: str, text: str) -> bytes:
        """Read a file that the command can't see, and that nobody else may read.

        One that the managed file names is everybody's to read, and root's to write.
        """
        path = self._path(key, text)
        is_managed = self.origin.layer is Layer.MANAGED and self.origin.file is not None
        folder = Path(self.origin.file or "/").parent if is_managed else self.folder
        forbidden = OTHERS_WRITE if is_managed else OTHERS
        return read_secret(key, path, folder=folder, forbidden=forbidden)

    def _path(self, key: str, text: str) -> Path:
        path = self.home / text[2:] if text.startswith("~/") else Path(text)
        if not path.is_absolute() or "\0" in text:
            raise InvalidSettings((f"{key}: {shown(text)} is neither absolute nor below ~/",))
        return path
