"""Below a public suffix everybody may have a name."""

from __future__ import annotations

import pytest

from netproxy.policy.suffixes import is_public_suffix


@pytest.mark.parametrize("domain", ["com", "org", "test", "localhost", "co.uk", "com.au", "co.jp"])
def test_public(domain: str) -> None:
    assert is_public_suffix(domain)


@pytest.mark.parametrize("domain", ["example.com", "bbc.co.uk", "co.example", "uk.co"])
def test_owned(domain: str) -> None:
    assert not is_public_suffix(domain)
