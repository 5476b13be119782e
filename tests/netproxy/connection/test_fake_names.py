"""An address means one name, or nothing: never another one that somebody still remembers."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st

from netproxy.connection.fake_names import FakeNames, is_fake
from netproxy.model import Destination, Protocol


def test_a_name_keeps_its_address() -> None:
    names = FakeNames()
    one, other = names.address("a.test"), names.address("b.test")
    assert socket.inet_ntoa(one) == "198.18.0.1"
    assert one != other
    assert names.address("a.test") == one
    assert (names.name(one), names.name(other)) == ("a.test", "b.test")


def test_what_nobody_was_given_means_nothing() -> None:
    names = FakeNames()
    names.address("a.test")
    for literal in ("198.18.0.2", "198.18.0.0", "198.19.255.254", "8.8.8.8"):
        assert names.name(socket.inet_aton(literal)) is None


def test_the_one_used_longest_ago_is_forgotten() -> None:
    names = FakeNames(most=3)
    first, second, third = (names.address(each) for each in "abc")
    names.name(first)  # a connection is a use, too
    names.address("d")
    assert names.name(second) is None
    assert [names.name(each) for each in (first, third)] == ["a", "c"]
    assert names.address("b") not in {first, second, third}


def test_the_block_is_used_up_before_an_address_means_something_else() -> None:
    names = FakeNames(most=1)
    given_out = [names.address(f"n{each}") for each in range(2**17 - 2)]
    assert len(set(given_out)) == len(given_out)
    assert all(is_fake(each) for each in (given_out[0], given_out[-1]))
    assert socket.inet_ntoa(given_out[-1]) == "198.19.255.254"
    assert names.address("next") == given_out[0]
    assert len(names._names) == len(names._numbers) == 1


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefg")), max_size=60))
def test_both_ways_always_agree(steps: list[tuple[bool, str]]) -> None:
    names = FakeNames(most=4)
    last: dict[str, bytes] = {}
    for looks_back, name in steps:
        if looks_back and name in last:
            assert names.name(last[name]) in {name, None}
        else:
            last[name] = names.address(name)
            assert names.name(last[name]) == name
        assert len(names._names) == len(names._numbers) <= 4


def test_the_block() -> None:
    assert not is_fake(socket.inet_aton("198.17.255.255"))
    assert not is_fake(socket.inet_aton("198.20.0.0"))
    assert not is_fake(socket.inet_aton("199.18.0.1"))


def test_who_asks_a_proxy_for_such_an_address_means_the_name() -> None:
    names = FakeNames()
    names.address("a.test")

    def meant(host: str) -> str:
        return names.meant(Destination(host, 443, Protocol.HTTPS)).host

    assert meant("198.18.0.1") == "a.test"
    for other in ("198.18.0.2", "198.18.example.org", "8.8.8.8", "::1", "b.test"):
        assert meant(other) == other


def test_what_is_fixed_takes_no_address_from_others() -> None:
    names = FakeNames(fixed={"postgres": b"\x7f\0\0\1"})

    assert names.address("postgres") == b"\x7f\0\0\1"
    assert names.name(b"\x7f\0\0\1") is None
    assert names.address("a.test") == b"\xc6\x12\0\1"
