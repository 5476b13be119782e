"""Prints the house's own measurements: sizes, branches, cycles, purity, types and docs.

Run it as `python -m tests.architecture.measure`. Nothing here passes or fails; the limits that do
are in the tests beside it, in ruff and in mypy.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from typing import TYPE_CHECKING

from tests.architecture.sources import Function, Module, length, modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

IMPURE = frozenset(
    (
        "aiohttp", "asyncio", "fcntl", "http", "httpx", "os", "pty", "random", "requests",
        "secrets", "select", "selectors", "signal", "socket", "sqlite3", "ssl", "subprocess",
        "tempfile", "termios", "threading", "time", "uvloop",
    )
)  # fmt: skip
_BRANCHES = (
    ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension,
    ast.Assert, ast.match_case,
)  # fmt: skip
_IGNORE = re.compile(r"#\s*(?:type: ignore|noqa)\b(\[[\w-]+\]|: [A-Z0-9, ]+)?(.*)")


def complexity(function: Function) -> int:
    """McCabe's number: one more than the ways to branch."""
    number = 1
    for node in ast.walk(function):
        if isinstance(node, _BRANCHES):
            number += 1
        elif isinstance(node, ast.BoolOp):
            number += len(node.values) - 1
    return number


def cycles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of modules that import each other in a circle."""
    reached = {name: _reachable(graph, name) for name in graph}
    circles = {
        frozenset({name} | {other for other in reached[name] if name in reached[other]})
        for name in graph
        if name in reached[name]
    }
    return [set(circle) for circle in circles]


def import_graph(every: Iterable[Module]) -> dict[str, set[str]]:
    """Which module of ours imports which, at load time."""
    by_name = {module.name: module for module in every}

    def ours(imported: str) -> str | None:
        # A name may be a module of its own (`from otel import attributes`), or stand in one.
        return next((n for n in (imported, imported.rpartition(".")[0]) if n in by_name), None)

    return {
        name: {other for one in module.imports() if (other := ours(one)) and other != name}
        for name, module in by_name.items()
    }


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def is_pure(module: Module) -> bool:
    """Whether it imports nothing that does I/O, or knows the time or chance."""
    return not {name.partition(".")[0] for name in module.imports()} & IMPURE


def ignores(module: Module) -> tuple[int, int]:
    """How many checks are switched off, and how many of these without a reason."""
    found = [match for line in module.text.splitlines() if (match := _IGNORE.search(line))]
    return len(found), sum(not match[1] or not match[2].strip(" #") for match in found)


def report(every: list[Module]) -> list[tuple[str, str]]:
    """Every figure, as a point of the yardstick and its text."""
    functions = [function for module in every for function in module.functions()]
    lengths = sorted(length(function) for function in functions)
    code = {module.name: module.code_lines() for module in every}
    total = sum(code.values())
    pure = sum(code[module.name] for module in every if is_pure(module))
    off = [ignores(module) for module in every]
    circles = cycles(import_graph(every))
    branchy = [function for function in functions if complexity(function) > 10]
    typed, slots = _annotated(functions)
    public = [function for function in functions if not function.name.startswith("_")]
    described = sum(ast.get_docstring(function) is not None for function in public)
    sizes = [module.lines for module in every]
    return [
        ("files, code lines", f"{len(every)}, {total}"),
        ("2 lines per file, median / max", f"{statistics.median(sizes):.0f} / {max(sizes)}"),
        (
            "3 lines per function, median / p90 / max",
            f"{statistics.median(lengths):.0f} / {lengths[len(lengths) * 9 // 10]} / {lengths[-1]}",
        ),
        ("4 functions with McCabe > 10", f"{len(branchy)} of {len(functions)}"),
        ("5 modules in import cycles", str(sum(map(len, circles)))),
        ("6 code in modules without I/O, clock or chance", f"{pure / total:.0%}"),
        ("9 parameters and returns annotated", f"{typed / slots:.1%}"),
        ("9 ignores per 1,000 code lines", f"{sum(n for n, _ in off) / total * 1000:.1f}"),
        ("9 ignores without code or reason", str(sum(bare for _, bare in off))),
        ("10 modules with a docstring", _share(every, lambda module: bool(module.docstring))),
        ("10 public functions with a docstring", f"{described / len(public):.0%}"),
    ]


def _share(every: list[Module], holds: Callable[[Module], bool]) -> str:
    return f"{sum(map(holds, every)) / len(every):.0%}"


def _annotated(functions: list[Function]) -> tuple[int, int]:
    typed = slots = 0
    for function in functions:
        arguments = function.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        parameters += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        named = [one for one in parameters if one.arg not in {"self", "cls"}]
        slots += len(named) + 1
        typed += sum(one.annotation is not None for one in named) + (function.returns is not None)
    return typed, slots


def main() -> None:
    """Print the table."""
    for point, figure in report(modules()):
        sys.stdout.write(f"{point:<50} {figure}\n")


if __name__ == "__main__":
    main()
