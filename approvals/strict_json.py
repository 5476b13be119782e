"""Reads JSON that somebody sent: one meaning, or none. Pure.

Python's own reader takes a key twice (the last one wins, others take the first), NaN, numbers that
overflow, halves of surrogate pairs, and nesting until its stack is full. Two readers of one signed
text must not see two different decisions.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from approvals.errors import InvalidJson

# A decision nests two levels deep.
MOST_LEVELS: Final = 16

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


def read_object(text: bytes) -> dict[str, Any]:
    """The one object that `text` holds (RFC 8259, UTF-8). Raises `InvalidJson`, nothing else."""
    try:
        decoded = text.decode("utf-8")
        _check_depth(decoded)
        found = json.loads(
            decoded,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no bytes
    except UnicodeError:
        raise InvalidJson("not UTF-8") from None
    except ValueError as error:
        raise InvalidJson(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidJson("not an object")
    return found


def _check_depth(text: str) -> None:
    """Before anything recurses. Up to the first error strings are here what they are to JSON."""
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > MOST_LEVELS:
                raise InvalidJson(f"nested deeper than {MOST_LEVELS} levels")
        elif character in "]}":
            depth -= 1


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidJson("a key is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidJson("a number is out of range")
    return number
