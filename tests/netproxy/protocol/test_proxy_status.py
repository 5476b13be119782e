from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.protocol.fields import by_name
from netproxy.protocol.proxy_status import without_our_name


def kept(*values: bytes) -> list[bytes]:
    fields = tuple((b"Proxy-Status", value) for value in values)
    return [value for _, value in without_our_name(fields, by_name(fields))]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"netproxy; error=http_request_denied", []),
        (b'netproxy;error=x;details="a, b"', []),
        (b"NetProxy", []),
        (b'"netproxy"; error=x', []),
        (b'"net\\\\proxy"', []),
        (b"netproxy-0123abcd", []),
        (b" ,netproxy\t, ", []),
        (b"squid; error=dns_error", [b"squid; error=dns_error"]),
        (b"squid;error=x, netproxy;error=y", [b"squid;error=x"]),
        (b"netproxy;error=y,squid,\tb;x", [b"squid, b;x"]),
        (b'b; details="x, netproxy; \\" y", c', [b'b; details="x, netproxy; \\" y", c']),
        (b'b; details="x, netproxy', []),
        (b'b; details="\\x", c', []),
        (b"", []),
    ],
)
def test_members_of_others_stay(value: bytes, left: list[bytes]) -> None:
    assert kept(value) == left


def test_each_line_is_read_alone() -> None:
    """A string does not go on in the next line, so none can hide our name there."""
    assert kept(b'a; details="', b'netproxy; error=x"', b"b") == [b"b"]


def test_other_fields_are_left_as_they_are() -> None:
    fields = ((b"A", b"netproxy"), (b"PROXY-status", b"netproxy"), (b"b", b""))
    assert without_our_name(fields, by_name(fields)) == (fields[0], fields[2])
    assert without_our_name(fields[:1], by_name(fields[:1])) == fields[:1]


@given(st.lists(st.sampled_from([b'"', b",", b"netproxy", b"\\", b" ", b";", b"x"]), max_size=9))
def test_no_line_begins_a_member_with_our_name(parts: list[bytes]) -> None:
    for value in kept(b"".join(parts)):
        outside = re.sub(rb'"(?:[^"\\]|\\.)*"', b"string", value)
        assert not any(part.strip().startswith(b"netproxy") for part in outside.split(b","))
