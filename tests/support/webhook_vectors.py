"""The vectors in docs/webhooks.md, read out of the page itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
_BLOCK = re.compile(r"```json vector\n(.*?)\n```", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    secret: str
    webhook_id: str
    timestamp: int
    body: str
    signature: str


def vectors() -> tuple[Vector, ...]:
    return tuple(Vector(**json.loads(block)) for block in _BLOCK.findall(PAGE.read_text()))
