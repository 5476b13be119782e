"""Every audit event of what a sandbox does beside its proxies. Part of the catalogue (`events`)."""

from __future__ import annotations

from typing import ClassVar

from otel import attributes as a
from otel.event_fields import Event, Severity, flag, fresh_text, maybe_text, number, text, texts


class NameAnswered(Event):
    """A name that the command looked up stands for an address from here on. Once for each name.

    Nothing was looked up: that happens when a connection to it is let through.
    """

    name: ClassVar[str] = "netproxy.dns.answered"
    server_address: str = text(a.SERVER_ADDRESS)
    answers: tuple[str, ...] = texts(a.DNS_ANSWERS, default=())


class NameRefused(Event, severity=Severity.WARN):
    """A name that the command looked up has no address here. Once for each name and outcome."""

    name: ClassVar[str] = "netproxy.dns.refused"
    server_address: str = text(a.SERVER_ADDRESS)
    record_type: str = text(a.DNS_TYPE)  # A, AAAA, TYPE16 …
    outcome: str = text(a.DNS_OUTCOME)  # refused | unknown: as if there were no such name
    # None: the policy says nothing of the name; no record of this type leaves the host.
    reason: str | None = maybe_text(a.POLICY_REASON, default=None)
    rule: str | None = maybe_text(a.POLICY_RULE, default=None)
    explanation: str | None = maybe_text(a.POLICY_EXPLANATION, default=None)


class NameFlood(Event, severity=Severity.WARN):
    """The command looks up more names than are recorded one by one: one second's sum."""

    name: ClassVar[str] = "netproxy.dns.flood"
    lookups: int = number(a.DNS_LOOKUPS)


class UnixOpened(Event):
    """The command is connected to a unix socket of this host that it was given."""

    name: ClassVar[str] = "netproxy.unix.opened"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    path: str = text(a.UNIX_PATH)


class UnixRefused(Event, severity=Severity.WARN):
    """The command asked for another one. Once for each path."""

    name: ClassVar[str] = "netproxy.unix.refused"
    path: str = text(a.UNIX_PATH)
    reason: str = text(a.POLICY_REASON)  # unix_socket_unsupported


class UnixClosed(Event):
    """How much flowed to the host's socket and back, for how long, and why it ended."""

    name: ClassVar[str] = "netproxy.unix.closed"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    path: str = text(a.UNIX_PATH)
    bytes_sent: int = number(a.BYTES_SENT)
    bytes_received: int = number(a.BYTES_RECEIVED)
    duration_ms: int = number(a.CONNECTION_DURATION)
    close_reason: str = text(a.CLOSE_REASON)


class ExposeOpened(Event):
    """A program of this host is connected to what the command serves inside."""

    name: ClassVar[str] = "netproxy.expose.opened"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    client_address: str = text(a.CLIENT_ADDRESS)
    port: int = number(a.EXPOSE_PORT)
    host_port: int = number(a.EXPOSE_HOST_PORT)


class ExposeRefused(Event, severity=Severity.WARN):
    """A program of this host was not connected: nobody serves there inside."""

    name: ClassVar[str] = "netproxy.expose.refused"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    client_address: str = text(a.CLIENT_ADDRESS)
    port: int = number(a.EXPOSE_PORT)
    host_port: int = number(a.EXPOSE_HOST_PORT)
    error_type: str = text(a.ERROR_TYPE)  # of RFC 9209


class ExposeClosed(Event):
    """How much flowed to the command's service and back, for how long, and why it ended."""

    name: ClassVar[str] = "netproxy.expose.closed"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    client_address: str = text(a.CLIENT_ADDRESS)
    port: int = number(a.EXPOSE_PORT)
    host_port: int = number(a.EXPOSE_HOST_PORT)
    bytes_sent: int = number(a.BYTES_SENT)
    bytes_received: int = number(a.BYTES_RECEIVED)
    duration_ms: int = number(a.CONNECTION_DURATION)
    close_reason: str = text(a.CLOSE_REASON)


class EgressRejected(Event, severity=Severity.WARN):
    """The command sent what no proxy carries, such as datagrams: refused, so many in a second."""

    name: ClassVar[str] = "netproxy.egress.rejected"
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)  # 0 where the protocol has none
    protocol: str = text(a.TRANSPORT_PROTOCOL)  # udp | icmp | …
    packets: int = number(a.EGRESS_PACKETS)


class EgressFlood(Event, severity=Severity.WARN):
    """More was refused than is recorded one by one: the sum of a minute."""

    name: ClassVar[str] = "netproxy.egress.flood"
    packets: int = number(a.EGRESS_PACKETS)
    reports_dropped: int = number(a.EGRESS_DROPPED)


class SandboxProbed(Event):
    """What must be impossible was tried in the finished sandbox. Unless it held, nothing ran."""

    name: ClassVar[str] = "netproxy.sandbox.probed"
    held: bool = flag(a.PROBE_HELD)
    attempts: int = number(a.PROBE_ATTEMPTS)
    surprises: tuple[str, ...] = texts(a.PROBE_SURPRISES, default=())  # what was possible: answer
    duration_ms: int = number(a.PROBE_DURATION)
