"""The time of now as HTTP spells it, for answers that come without one."""

from __future__ import annotations

import time
from functools import lru_cache


def http_date() -> str:
    """IMF-fixdate (RFC 9110 section 5.6.7)."""
    return _spelled(int(time.time()))


@lru_cache(maxsize=1)  # one a second
def _spelled(seconds: int) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))
