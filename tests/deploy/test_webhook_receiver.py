"""The example receiver: it runs as its README says, and trusts nobody who did not sign."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.support.example_receiver import REPLY_KEY, receiver

if TYPE_CHECKING:
    from pathlib import Path


def test_it_takes_what_is_signed_once_and_shows_it_escaped(tmp_path: Path) -> None:
    ended = {"type": "approval.resolved", "data": {"destination": "a\x1b[2J", "status": "denied"}}
    body = json.dumps(ended).encode()
    with receiver(tmp_path) as running:
        assert running.post(body, key=REPLY_KEY) == 401
        assert running.post(body, at=time.time() - 400) == 401
        assert running.post(body) == running.post(body) == 204
        assert running.line() == "- a\\x1b[2J: denied"
        other = json.dumps({"type": "endpoint.ping", "data": {"schema": 1}}).encode()
        request = urllib.request.Request(running.url, other, {"webhook-signature": "v1,x"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=20)
        assert refused.value.code == 401
        refused.value.close()
