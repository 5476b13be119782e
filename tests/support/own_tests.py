"""A plugin of `make test`: a pure module is measured while its own tests run, and not else.

Tracing doubles the time of whatever it watches. And a branch of a pure module that only somebody
else's test takes is not tested: the next change there leaves it untried.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.architecture.pure import own_tests, pure_modules

if TYPE_CHECKING:
    from collections.abc import Generator

_ROOT = Path(__file__).parents[2]
_OWN = tuple(str(_ROOT / place) for place in own_tests(pure_modules(_ROOT / "pyproject.toml")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Pause the measurement while another test runs: stopping it would take it longer."""
    if str(item.path).startswith(_OWN):
        return (yield)
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(in_threads)
