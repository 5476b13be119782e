"""Fixtures of the scenarios: one certificate authority for the whole session."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.people import open_folder, remove
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tls import Authority


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """Signs for origin.test. Its folder is outside /tmp, which is private inside a sandbox."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = open_folder()
    yield make_authority(folder, "origin.test")
    remove(folder)
