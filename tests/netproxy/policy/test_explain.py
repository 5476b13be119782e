"""Explanations are one printable clause, and hints are words that a shell takes as they stand."""

from __future__ import annotations

import shlex

import pytest

from netproxy.policy import explain
from netproxy.policy.addresses import AddressClass
from tests.support.policies import to


@pytest.mark.parametrize("host", ["example.org:443", "127.0.0.1:80", "[::1]:80"])
def test_the_flag_survives_a_shell(host: str) -> None:
    assert shlex.split(explain.allow_flag(to(host))) == ["--allow", str(to(host))]


def test_the_private_flag_names_one_address() -> None:
    assert explain.allow_private_flag("10.0.0.1") == "--allow-private 10.0.0.1/32"
    assert explain.allow_private_flag("fd00::1") == "--allow-private fd00::1/128"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (AddressClass.LOOPBACK, "a loopback address"),
        (AddressClass.UNSPECIFIED, "an unspecified address"),
        (AddressClass.UNRECOGNISED, "an unrecognised address"),
        (AddressClass.OWN, "this host's own address"),
        (AddressClass.DENIED, "an address denied by a rule"),
    ],
)
def test_every_kind_reads_as_english(kind: AddressClass, said: str) -> None:
    assert explain.described(kind) == said


def test_kinds_are_listed_once() -> None:
    kinds = [AddressClass.PRIVATE, AddressClass.LOOPBACK, AddressClass.PRIVATE]
    said = explain.addresses_refused(to("example.org:443"), kinds)
    assert said == "example.org resolves to a private address and a loopback address"
