"""The HTTP API answers as its document says; a few calls of each operation. More: `make fuzz`."""

from __future__ import annotations


def test_whatever_is_sent_is_answered_as_the_document_says() -> None:
    # Here, since every worker reads this file, and Schemathesis takes half a second to load.
    from tests.fuzz.api import check_api

    assert check_api(6) > 60
