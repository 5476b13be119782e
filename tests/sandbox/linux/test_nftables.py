"""The rules of capture: one transaction, and in it what the module says.

That the kernel understands them as they are meant is in `test_capture`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sandbox.linux.netlink import attributes, messages
from sandbox.linux.nftables import capture_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUBSYSTEM = 10 << 8
_BEGIN, _END, _TABLE, _CHAIN, _RULE = 16, 17, _SUBSYSTEM, _SUBSYSTEM | 3, _SUBSYSTEM | 6
_ACK = 0x4


def test_it_is_one_transaction_of_one_table() -> None:
    kinds = [each.kind for each in messages(capture_rules())]

    assert kinds == [
        _BEGIN,
        _TABLE,
        *(_CHAIN, *[_RULE] * 9),
        *(_CHAIN, *[_RULE] * 5),
        _END,
    ]


def test_only_the_last_rule_is_acknowledged() -> None:
    """So that one answer is waited for; the kernel reports every error before it."""
    data, at, flags = capture_rules(), 0, []
    while at < len(data):
        length, _, flag = struct.unpack_from("=IHH", data, at)
        flags.append(flag)
        at += length + -length % 4

    assert [bool(each & _ACK) for each in flags] == [False] * (len(flags) - 2) + [True, False]


def test_each_rule_is_what_the_listing_says() -> None:
    loopback = ["meta", "cmp", "payload", "cmp"]
    assert list(rules()) == [
        *[["payload", "cmp", "immediate"]] * 3,
        *[[*loopback, "notrack", "immediate"]] * 2,
        *[["meta", "cmp", "immediate"]] * 3,
        ["log", "reject"],
        *[["meta", "cmp", "payload", "cmp", "immediate", "redir"]] * 2,
        *[[*loopback, "immediate"]] * 2,
        ["meta", "cmp", "immediate", "redir"],
    ]


def rules() -> Iterator[list[str]]:
    """The names of each rule's expressions, read by the numbers of linux/netfilter/nf_tables.h."""
    for each in messages(capture_rules()):
        if each.kind != _RULE:
            continue
        expressions = attributes(each.body[4:])[4]
        names, at = [], 0
        while at < len(expressions):
            (length,) = struct.unpack_from("=H", expressions, at)
            body = attributes(expressions[at + 4 : at + length])
            names.append(body[1].rstrip(b"\0").decode())
            at += length + -length % 4
        yield names
