"""Every error of the proxy, and the one table that turns a failure into a wire answer.

One class per thing a caller does differently. A denial is a `Decision`, not an error.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from otel.values import dataclass


class NetproxyError(Exception):
    """The base that nobody raises."""


class InvalidDestination(NetproxyError):
    """A host or port that is not spelled the one way we accept. Never mended."""


class InvalidRule(NetproxyError):
    """A rule that can't be read. The text says what, and what was probably meant."""


class InvalidSettings(NetproxyError):
    """Configuration that can't be used. `problems` are lines: `file:line:column key: what`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ClientProtocolError(NetproxyError):
    """The client broke the protocol it spoke. `status` is what an HTTP client is answered.

    `method` is of its request, where whoever raises or passes it on knows that: an answer to a
    HEAD has no content.
    """

    method = "none"

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class SocksProtocolError(ClientProtocolError):
    """A SOCKS client broke the protocol. `answer` is its last reply, or empty."""

    def __init__(self, message: str, *, answer: bytes) -> None:
        super().__init__(message)
        self.answer = answer


class OriginProtocolError(NetproxyError):
    """The origin's answer can't be forwarded safely: a 502 to the client."""


class SocksReply(IntEnum):
    """REP of RFC 1928 section 6."""

    SUCCEEDED = 0x00
    GENERAL_FAILURE = 0x01
    NOT_ALLOWED = 0x02
    NETWORK_UNREACHABLE = 0x03
    HOST_UNREACHABLE = 0x04
    CONNECTION_REFUSED = 0x05
    TTL_EXPIRED = 0x06
    COMMAND_NOT_SUPPORTED = 0x07
    ADDRESS_TYPE_NOT_SUPPORTED = 0x08


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """How one failure looks on each wire: HTTP status, RFC 9209 error type, SOCKS reply."""

    status: int
    proxy_status: str
    reply: SocksReply


class Failure(Enum):
    """Why an allowed destination could not be reached. Not a denial: it cancels nothing."""

    DNS_ERROR = WireAnswer(502, "dns_error", SocksReply.HOST_UNREACHABLE)
    DNS_TIMEOUT = WireAnswer(504, "dns_timeout", SocksReply.HOST_UNREACHABLE)
    CONNECTION_REFUSED = WireAnswer(502, "connection_refused", SocksReply.CONNECTION_REFUSED)
    CONNECTION_TIMEOUT = WireAnswer(504, "connection_timeout", SocksReply.TTL_EXPIRED)
    CONNECTION_TERMINATED = WireAnswer(502, "connection_terminated", SocksReply.GENERAL_FAILURE)
    NETWORK_UNREACHABLE = WireAnswer(
        502, "destination_ip_unroutable", SocksReply.NETWORK_UNREACHABLE
    )
    HOST_UNREACHABLE = WireAnswer(502, "destination_unavailable", SocksReply.HOST_UNREACHABLE)
    HTTP_PROTOCOL_ERROR = WireAnswer(502, "http_protocol_error", SocksReply.GENERAL_FAILURE)
    # A parent of the operator's wants other credentials: whoever set it up has to mend it.
    PARENT_MISCONFIGURED = WireAnswer(500, "proxy_configuration_error", SocksReply.GENERAL_FAILURE)
    INTERNAL = WireAnswer(500, "proxy_internal_error", SocksReply.GENERAL_FAILURE)


# In records, beside the words of RFC 9209: nobody wanted it any more before it was connected.
ABANDONED = "abandoned"


class DestinationUnreachable(NetproxyError):
    """Lookup or connection failed upstream. `failure` selects the answer on each wire."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure
