"""`netproxy connect HOST PORT`: one tunnel through the sandbox's SOCKS5 listener (ProxyCommand).

Standard input and output become the tunnel. It asks for a name, never an address: the gateway
resolves. It decides nothing, needs no secrets, and works inside a sandbox only.
"""

from __future__ import annotations

import _thread
import os
import select
import socket
import sys
from contextlib import suppress

from netproxy.app.cli.usage import UsageParser

_PIECE_BYTES = 64 * 1024
_NAME_BYTES = 255  # RFC 1928 section 5: one octet of length
_EXIT_REFUSED = os.EX_NOPERM  # 77
_EXIT_UNREACHABLE = os.EX_UNAVAILABLE  # 69
_REPLIES = {
    1: "general failure",
    2: "refused by policy",
    3: "network unreachable",
    4: "host unreachable, or its name is unknown",
    5: "connection refused",
    6: "timed out",
    7: "command not supported",
    8: "address type not supported",
}


def main(arguments: list[str]) -> int:
    """Return 0 when the tunnel closed, 77 for a refusal, 69 when it could not be opened."""
    parser = UsageParser(prog="netproxy connect", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    options = parser.parse_args(arguments)
    if not 0 < options.port < 1 << 16:
        parser.error(f"port {options.port} is not between 1 and 65535")
    name = _name(options.host)
    if name is None:
        parser.error("the host is no name that can be asked for")
    proxy = os.environ.get("NETPROXY_SOCKS", "")
    if not proxy:
        return _fail("NETPROXY_SOCKS is not set: this works inside `netproxy run` only")
    try:
        tunnel = _open(proxy, name, options.port)
    except (OSError, ValueError) as error:
        return _fail(f"the proxy at {proxy}: {_cause(error)}")
    if isinstance(tunnel, int):
        said = _REPLIES.get(tunnel, f"reply {tunnel}")
        status = _EXIT_REFUSED if tunnel == 2 else _EXIT_UNREACHABLE  # noqa: PLR2004  # RFC 1928
        return _fail(f"{options.host}:{options.port}: {said}", status)
    _relay(tunnel)
    return 0


def _name(host: str) -> bytes | None:
    """As the proxy reads it; None for what no request can carry."""
    try:
        name = host.encode("ascii" if host.isascii() else "idna")
    except UnicodeError:
        return None
    return name if 0 < len(name) <= _NAME_BYTES else None


def _cause(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _fail(text: str, status: int = _EXIT_UNREACHABLE) -> int:
    sys.stderr.write(f"netproxy connect: {text}\n")
    return status


def _open(proxy: str, name: bytes, port: int) -> socket.socket | int:
    """The open tunnel, or the reply code that refused it."""
    host, _, proxy_port = proxy.rpartition(":")
    tunnel = socket.create_connection((host, int(proxy_port)))
    tunnel.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x03" + bytes([len(name)]) + name)
    tunnel.sendall(port.to_bytes(2))
    if _exactly(tunnel, 2) != b"\x05\x00":
        raise OSError("the proxy does not speak SOCKS5 without a password")
    _, reply, _, kind = _exactly(tunnel, 4)
    if reply:
        return reply
    length = {1: 4, 4: 16}.get(kind)
    _exactly(tunnel, (length if length is not None else _exactly(tunnel, 1)[0]) + 2)
    return tunnel


def _exactly(tunnel: socket.socket, count: int) -> bytes:
    data = tunnel.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise OSError("the proxy closed the connection")
    return data


def _relay(tunnel: socket.socket) -> None:
    """Two blocking copies: neither direction can hold the other up, and each ends by itself."""
    _thread.start_new_thread(_send, (tunnel,))
    with suppress(OSError):
        while data := tunnel.recv(_PIECE_BYTES):
            while data:
                data = data[os.write(1, data) :]
        os.close(1)
        # The other side has said all; ours may go on (half-close). No event is asked for: a hang-up
        # (both directions ended) or an error is always told.
        ended = select.poll()
        ended.register(tunnel, 0)
        ended.poll()


def _send(tunnel: socket.socket) -> None:
    with suppress(OSError):
        while data := os.read(0, _PIECE_BYTES):
            tunnel.sendall(data)
        tunnel.shutdown(socket.SHUT_WR)
