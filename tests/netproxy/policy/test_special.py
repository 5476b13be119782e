"""Names that lead to this host, its network or its cloud."""

from __future__ import annotations

import pytest

from netproxy.policy.special import is_loopback_name, is_special_name


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "foo.localhost",
        "printer.local",
        "db.corp.internal",
        "metadata.google.internal",
        "1.0.0.127.in-addr.arpa",
        "home.arpa",
        "intranet",
        "ip6-localhost",
        "metadata",
        "metadata.goog",
        "metadata.tencentyun.com",
    ],
)
def test_special(name: str) -> None:
    assert is_special_name(name)


@pytest.mark.parametrize(
    "name",
    ["example.org", "local.example.org", "localhost.example", "internal.example", "notlocal.net"],
)
def test_ordinary(name: str) -> None:
    assert not is_special_name(name)


def test_only_localhost_means_loopback_by_definition() -> None:
    assert is_loopback_name("localhost")
    assert is_loopback_name("a.b.localhost")
    assert not is_loopback_name("notlocalhost")
    assert not is_loopback_name("printer.local")
