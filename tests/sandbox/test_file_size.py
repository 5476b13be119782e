"""What we write ourselves is as big as the hard limit lets it be; the command has its caller's."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from sandbox import file_size

if TYPE_CHECKING:
    from collections.abc import Iterator

LITTLE = 1 << 20


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(file_size, "_callers", [])
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_the_soft_one_is_lifted_and_given_back() -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (LITTLE, hard))

    file_size.lift()

    assert resource.getrlimit(resource.RLIMIT_FSIZE) == (hard, hard)
    assert file_size.orders() == (f"limit=1 {LITTLE} {hard}",)
    file_size.lift()  # once more changes nothing
    file_size.give_back()
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == (LITTLE, hard)


def test_what_is_as_high_as_can_be_stays() -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    file_size.lift()
    file_size.give_back()

    assert (resource.getrlimit(resource.RLIMIT_FSIZE), file_size.orders()) == ((hard, hard), ())
