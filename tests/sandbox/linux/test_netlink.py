"""Netlink messages: what is written is read again, and no bytes at all can hurt the reader."""

from __future__ import annotations

import errno
import struct

from hypothesis import given
from hypothesis import strategies as st

from sandbox.linux.netlink import Message, attribute, attributes, message, messages, nested

_ERROR = 2


def test_a_message_begins_with_its_length_and_is_padded() -> None:
    written = message(24, 0x405, b"\x02\x00\x00\x00\x07", sequence=9)

    assert written[:16] == struct.pack("=IHHII", 21, 24, 0x405, 9, 0)
    assert written[16:] == b"\x02\x00\x00\x00\x07\x00\x00\x00"


def test_attributes_hold_attributes() -> None:
    written = nested(4, attribute(1, b"lo\0"), attribute(2, b"\x00\x00\x00\x03"))

    outside = attributes(written)
    assert list(outside) == [4]
    assert attributes(outside[4]) == {1: b"lo\0", 2: b"\x00\x00\x00\x03"}


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.integers(0, 2**32 - 1), st.binary())))
def test_messages_are_told_apart(written: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(message(kind, 0, body, sequence=number) for kind, number, body in written)

    assert [(each.kind, each.sequence, each.body) for each in messages(data)] == written


@given(st.binary())
def test_any_bytes_can_be_read(data: bytes) -> None:
    assert sum(len(each.body) for each in messages(data)) <= len(data)
    assert sum(map(len, attributes(data).values())) <= len(data)


def test_what_is_cut_off_or_says_it_is_shorter_than_its_header_ends_the_reading() -> None:
    whole = message(1, 0, b"body")

    assert len(list(messages(whole + whole[:-1]))) == 1
    assert list(messages(struct.pack("=IHHII", 15, 1, 0, 0, 0))) == []
    assert attributes(attribute(1, b"x") + b"\x03\x00\x02\x00") == {1: b"x"}


def test_the_kernel_reports_a_failure_or_none() -> None:
    assert Message(_ERROR, 1, struct.pack("=i", -errno.EPERM)).failure() == errno.EPERM
    assert Message(_ERROR, 1, struct.pack("=i", 0)).failure() == 0
    assert Message(_ERROR, 1, b"").failure() is None
    assert Message(24, 1, struct.pack("=i", -errno.EPERM)).failure() is None
