"""What happens to packets of programs that know of no proxy: nf_tables messages. Pure bytes.

Spoken to the kernel directly (linux/netfilter/nf_tables.h), so that neither the nft program nor
its start is needed. As nft would list them they are in ADR 26.

None of this is the fence: that is the namespace, which has no other interface. With the rules gone
every packet still ends inside.
"""

from __future__ import annotations

import struct
from typing import Final

from sandbox.config import CAPTURE_PORT, DNS_PORT, REJECTED_GROUP, REJECTED_SNAP_BYTES
from sandbox.linux.netlink import ACK, CREATE, REQUEST, attribute, message, nested

_NFPROTO_UNSPEC, _NFPROTO_INET, _NFPROTO_IPV4, _NFPROTO_IPV6 = 0, 1, 2, 10
_IPPROTO_ICMP, _IPPROTO_TCP, _IPPROTO_UDP, _IPPROTO_ICMPV6 = 1, 6, 17, 58
_TABLE = "netproxy"
# linux/netfilter/nfnetlink.h: nftables' messages are numbered within its subsystem, and come
# between the begin and the end of one transaction: all of it holds, or nothing.
_SUBSYSTEM: Final = 10
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 3, 6
_APPEND: Final = 0x800
_HOOK_OUTPUT: Final = 3
_REGISTER: Final = 1
_VERDICT_REGISTER: Final = 0
_ACCEPT: Final = 1
_DATA_VALUE, _DATA_VERDICT, _VERDICT_CODE = 1, 2, 1
_EQUAL: Final = 0
_META_NFPROTO, _META_L4PROTO = 15, 16
_NETWORK, _TRANSPORT = 1, 2
_ICMPX, _ADMIN_PROHIBITED = 2, 3
_OWN6: Final = bytes(15) + b"\x01"


def capture_rules() -> bytes:
    """Return the whole transaction, for one send to a NETLINK_NETFILTER socket.

    Only its last rule is acknowledged, after every error.
    """
    bodies = [
        (_NEW_TABLE, _text(1, _TABLE)),
        *_chain("sorted", "filter", -300, _sorted()),
        *_chain("captured", "nat", -100, _captured()),
    ]
    last = len(bodies)
    inside = [
        message(
            _SUBSYSTEM << 8 | kind,
            REQUEST | CREATE | (_APPEND if kind == _NEW_RULE else 0) | (ACK if at == last else 0),
            bytes((_NFPROTO_INET, 0, 0, 0)) + body,
            sequence=at,
        )
        for at, (kind, body) in enumerate(bodies, 1)
    ]
    return b"".join([_batch(_BATCH_BEGIN), *inside, _batch(_BATCH_END)])


def _batch(kind: int) -> bytes:
    return message(kind, REQUEST, struct.pack("!BBH", _NFPROTO_UNSPEC, 0, _SUBSYSTEM))


def _sorted() -> list[bytes]:
    log = _big(1, "!H", REJECTED_GROUP) + _big(3, "!I", REJECTED_SNAP_BYTES)
    reject = _big(1, "!I", _ICMPX) + attribute(2, bytes((_ADMIN_PROHIBITED,)))
    untracked = _expression("notrack") + _accept()
    return [
        # What was redirected, and its answers: only conntrack knows where they belong.
        _port(2, DNS_PORT) + _accept(),
        _port(0, DNS_PORT) + _accept(),
        _port(0, CAPTURE_PORT) + _accept(),
        # The proxies' traffic, and the command's own, has no use for conntrack.
        _loopback4() + untracked,
        _loopback6() + untracked,
        _transport(_IPPROTO_TCP) + _accept(),
        # Nobody inside has a socket for it: it is the kernel's own, with a refusal.
        _transport(_IPPROTO_ICMP) + _accept(),
        _transport(_IPPROTO_ICMPV6) + _accept(),
        _expression("log", log) + _expression("reject", reject),
    ]


def _captured() -> list[bytes]:
    return [
        _transport(_IPPROTO_UDP) + _port(2, DNS_PORT) + _redirect(DNS_PORT),
        _transport(_IPPROTO_TCP) + _port(2, DNS_PORT) + _redirect(DNS_PORT),
        _loopback4() + _accept(),
        _loopback6() + _accept(),
        _transport(_IPPROTO_TCP) + _redirect(CAPTURE_PORT),
    ]


def _chain(name: str, kind: str, priority: int, rules: list[bytes]) -> list[tuple[int, bytes]]:
    hook = nested(4, _big(1, "!I", _HOOK_OUTPUT), _big(2, "!i", priority))
    chain = _text(1, _TABLE) + _text(3, name) + hook + _text(7, kind)
    owner = _text(1, _TABLE) + _text(2, name)
    return [(_NEW_CHAIN, chain), *((_NEW_RULE, owner + nested(4, rule)) for rule in rules)]


def _transport(protocol: int) -> bytes:
    return _meta(_META_L4PROTO) + _compare(bytes((protocol,)))


def _port(offset: int, number: int) -> bytes:
    """Of TCP and UDP: the source at 0, the destination at 2."""
    return _at(_TRANSPORT, offset, struct.pack("!H", number))


def _loopback4() -> bytes:
    """To 127.0.0.0/8, of which one byte is all."""
    return _meta(_META_NFPROTO) + _compare(bytes((_NFPROTO_IPV4,))) + _at(_NETWORK, 16, b"\x7f")


def _loopback6() -> bytes:
    return _meta(_META_NFPROTO) + _compare(bytes((_NFPROTO_IPV6,))) + _at(_NETWORK, 24, _OWN6)


def _meta(key: int) -> bytes:
    return _expression("meta", _big(2, "!I", key) + _big(1, "!I", _REGISTER))


def _at(base: int, offset: int, value: bytes) -> bytes:
    load = (
        _big(1, "!I", _REGISTER)
        + _big(2, "!I", base)
        + _big(3, "!I", offset)
        + _big(4, "!I", len(value))
    )
    return _expression("payload", load) + _compare(value)


def _compare(value: bytes) -> bytes:
    data = nested(3, attribute(_DATA_VALUE, value))
    return _expression("cmp", _big(1, "!I", _REGISTER) + _big(2, "!I", _EQUAL) + data)


def _redirect(port: int) -> bytes:
    value = nested(2, attribute(_DATA_VALUE, struct.pack("!H", port)))
    load = _expression("immediate", _big(1, "!I", _REGISTER) + value)
    return load + _expression("redir", _big(1, "!I", _REGISTER))


def _accept() -> bytes:
    verdict = nested(2, nested(_DATA_VERDICT, _big(_VERDICT_CODE, "!I", _ACCEPT)))
    return _expression("immediate", _big(1, "!I", _VERDICT_REGISTER) + verdict)


def _expression(name: str, body: bytes = b"") -> bytes:
    return nested(1, _text(1, name), nested(2, body))


def _text(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode("ascii") + b"\0")


def _big(kind: int, form: str, number: int) -> bytes:
    """A number in the network's order, as all of nf_tables' are."""
    return attribute(kind, struct.pack(form, number))
