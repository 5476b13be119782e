"""The repository's own source as data: its modules, their trees, functions and imports."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("netproxy", "approvals", "sandbox", "otel")

type Function = ast.FunctionDef | ast.AsyncFunctionDef
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Module:
    """One file of ours. `path` is relative to the root."""

    path: Path

    @property
    def name(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def docstring(self) -> str | None:
        return ast.get_docstring(self.tree)

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def defines_something(self) -> bool:
        """Whether there is code in it to test, rather than names handed on."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return any(isinstance(node, kinds) for node in self.tree.body)

    def code_lines(self) -> int:
        """Lines with code: no comments, blank lines and docstrings."""
        docstrings = {
            line
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
            for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
        }
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        lines = {
            line
            for token in tokens
            if token.type not in _SILENT
            for line in range(token.start[0], token.end[0] + 1)
        }
        return len(lines - docstrings)

    def imports(self) -> set[str]:
        """What it imports when it is loaded, as `module` or `module.name`: no types, not later."""
        return set(_imported(self.tree.body))


def length(function: Function) -> int:
    """Lines of a function without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        first = function.body[0]
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


@cache
def modules() -> list[Module]:
    """Every module of the four packages that has any text. Each is read and parsed once."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [Module(path.relative_to(ROOT)) for path in sorted(found) if path.stat().st_size]


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.If(body=inner, orelse=other) | ast.Try(body=inner, orelse=other):
                yield from _imported(inner + other)
            case _:
                continue
