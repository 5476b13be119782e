"""The forms that records take for programs of others: a module each, of which `line` is used.

A new one (ECS, CEF) is a module with `line(record) -> str`, total over all records, and a row here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.chain import Record

FORMATS = {"ocsf": "otel.ocsf"}


def line_format(name: str) -> Callable[[Record], str]:
    """How a record is spelled on one line, without its line feed."""
    spell: Callable[[Record], str] = import_module(FORMATS[name]).line
    return spell
