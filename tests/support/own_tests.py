"""A plugin of `make test`: a pure module is measured while its own tests run, and not else.

Tracing doubles the time of whatever it watches. And a branch of a pure module that only somebody
else's test takes is not tested: the next change there leaves it untried. Nor is one that only
Hypothesis takes, by the chance of its examples: properties run unmeasured. So do tests that are
marked `unmeasured`: a megabyte that is read line by line is traced line by line.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import pytest

from tests.architecture.pure import own_tests, pure_modules

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_ROOT = Path(__file__).parents[2]
_PURE = pure_modules(_ROOT / "pyproject.toml")
_CACHES: list[_lru_cache_wrapper[object]] = []
_OWN = tuple(str(_ROOT / place) for place in own_tests(_PURE))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What a pure module does when it is imported is measured; reading ten thousand tests is not.

    Where tests run in workers of pytest-xdist, only those measure anything.
    """
    if sys.gettrace() is None:
        return (yield)
    for name in _PURE:
        _read_in(name)
        for found in walk_packages(getattr(sys.modules[name], "__path__", []), f"{name}."):
            _read_in(found.name)
    with _unmeasured():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Pause the measurement while another test runs: stopping it would take it longer."""
    if str(item.path).startswith(_OWN) and not _is_unmeasured(item):
        for cache in _CACHES:  # what another test left there would not be run again
            cache.cache_clear()
        return (yield)
    with _unmeasured():
        return (yield)


def _read_in(name: str) -> None:
    values = vars(import_module(name)).values()
    _CACHES.extend(value for value in values if isinstance(value, _lru_cache_wrapper))


def _is_unmeasured(item: pytest.Item) -> bool:
    is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False) is True
    return is_property or item.get_closest_marker("unmeasured") is not None


@contextmanager
def _unmeasured() -> Iterator[None]:
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        sys.settrace(here)
        threading.settrace(in_threads)
