"""Now, as every recipient reads it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from netproxy.transport.http_date import http_date


def test_it_is_now() -> None:
    before = int(time.time())
    said = parsedate_to_datetime(http_date()).timestamp()
    assert before <= said <= time.time()


def test_it_is_spelled_as_rfc_9110_wants_it() -> None:
    assert time.strptime(http_date(), "%a, %d %b %Y %H:%M:%S GMT")
