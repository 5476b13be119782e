"""What must fail inside the sandbox, tried: the exit status is the number of the first that worked.

Runs as `python -I -S -B attempts.py` inside a finished sandbox. 0 means that the fence held, and
that the proxy's listener could be reached. Outside, only the list of names is used.
"""

import os
import socket
import sys
from collections.abc import Callable

# Addresses that RFC 5737, 3849 and 1112 set aside: nothing listens there, and nothing may be sent.
_TEST_NET = ("192.0.2.1", 9)
_TEST_NET6 = ("2001:db8::1", 9)
_CLONE_NEWUSER = 0x10000000


def _connects(family: int, address: tuple[str, int]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.connect(address)


def _sends(family: int, address: tuple[str, int]) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"x", address)


def _pair(kind: int) -> None:
    for end in socket.socketpair(socket.AF_UNIX, kind):
        end.close()


def _writes_root() -> None:
    os.close(os.open("/netproxy-probe", os.O_WRONLY | os.O_CREAT, 0o600))


def _writes_setting() -> None:
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def _has_capability() -> None:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # pathlib is slow
        lines = [line for line in status if line.startswith(("CapEff", "CapBnd", "CapPrm"))]
    if all(int(line.split()[1], 16) == 0 for line in lines):
        raise PermissionError


def _is_privileged_again() -> None:
    os.unshare(_CLONE_NEWUSER)


ATTEMPTS: tuple[tuple[str, Callable[[], None]], ...] = (
    ("a unix socket", lambda: socket.socket(socket.AF_UNIX).close()),
    ("a pair of datagram sockets", lambda: _pair(socket.SOCK_DGRAM)),
    ("a netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
    ("a direct IPv4 connection", lambda: _connects(socket.AF_INET, _TEST_NET)),
    ("a direct IPv6 connection", lambda: _connects(socket.AF_INET6, _TEST_NET6)),
    ("a direct UDP datagram", lambda: _sends(socket.AF_INET, _TEST_NET)),
    ("a direct UDP datagram over IPv6", lambda: _sends(socket.AF_INET6, _TEST_NET6)),
    ("writing to /", _writes_root),
    ("changing a setting of the kernel", _writes_setting),
    ("a capability", _has_capability),
    ("a user namespace of its own", _is_privileged_again),
)


def main(port: int) -> int:
    """Try each; then reach the proxy, which must work."""
    for number, (_, attempt) in enumerate(ATTEMPTS, 1):
        try:
            attempt()
        except OSError:
            continue
        return number
    try:
        _connects(socket.AF_INET, ("127.0.0.1", port))
    except OSError:
        return len(ATTEMPTS) + 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
