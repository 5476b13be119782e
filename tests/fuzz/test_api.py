"""The HTTP API answers as its document says; a few calls of each operation. More: `make fuzz`."""

from __future__ import annotations

from tests.fuzz.api import check_api


def test_whatever_is_sent_is_answered_as_the_document_says() -> None:
    assert check_api(6) > 60
