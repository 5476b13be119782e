"""Which path an address names."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.linux.sockaddr import path_of, port_of

UNIX, INET = (number.to_bytes(2, sys.byteorder) for number in (1, 2))


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (UNIX + b"/run/x\0", "/run/x"),
        (UNIX + b"/run/x", "/run/x"),
        (UNIX + b"/run/x\0/run/y", "/run/x"),
        (UNIX + "/run/é".encode(), "/run/é"),
        (UNIX + b"\0abstract", None),
        (UNIX + b"/run/\xff", None),
        (UNIX, None),
        (b"\x01", None),
        (b"", None),
        (INET + b"\x00\x50\x7f\0\0\x01", None),
    ],
)
def test_a_path_and_what_is_none(address: bytes, path: str | None) -> None:
    assert path_of(address) == path


def test_a_port_is_in_network_order() -> None:
    assert port_of(INET + b"\x00\x50\x7f\0\0\x01") == 80
    assert port_of(INET) == 0


@given(st.binary(max_size=128))
def test_any_bytes_are_read(address: bytes) -> None:
    path = path_of(address)
    assert path is None or (path and "\0" not in path)
