"""Every SQL statement that stands in the sources of the approval service, by module."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s")
# They open SQLite's file and keep its tables in order: PostgreSQL will have its own.
_OF_SQLITE = {"approvals/store/schema.py", "approvals/store/connection.py"}


def statements() -> Iterator[tuple[str, str]]:
    """Module and text. A statement has to be one string: no other is found, and ruff forbids it."""
    for path in sorted((ROOT / "approvals").rglob("*.py")):
        module = str(path.relative_to(ROOT))
        if module in _OF_SQLITE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and _STATEMENT.match(text):
                yield module, text
