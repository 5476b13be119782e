"""After the suite, by `make test`: every branch of the pure modules was taken by some test.

The modules are those of the import contract on purity, the only ones that the suite measures, and
only while their own tests run (`tests.support.own_tests`): tracing everything takes it half as long
again. Not a test itself: it reads what was left in `.coverage`.
"""

from __future__ import annotations

import io
import sys
import tomllib
from pathlib import Path

from coverage import Coverage

CONTRACT = "pure code has no I/O, no clock and no chance"


def pure_modules(settings: Path) -> list[str]:
    """Dotted names, packages among them."""
    contracts = tomllib.loads(settings.read_text())["tool"]["importlinter"]["contracts"]
    (pure,) = (contract for contract in contracts if contract["name"] == CONTRACT)
    return list(pure["source_modules"])


def own_tests(modules: list[str]) -> list[str]:
    """Where the tests of these modules begin: paths as far as all of a module's share them."""
    parts = [name.rpartition(".") for name in modules]
    folders = [(f"tests/{above}/".replace(".", "/"), last) for above, _, last in parts]
    return [
        place for folder, last in folders for place in (f"{folder}test_{last}", f"{folder}{last}/")
    ]


def main() -> str | None:
    """What is missing, as a table. With `--options`: what makes pytest measure them."""
    names = pure_modules(Path("pyproject.toml"))
    if sys.argv[1:] == ["--options"]:
        plugin = "-p tests.support.own_tests"
        sys.stdout.write(" ".join([plugin, "--cov-report=", *(f"--cov={name}" for name in names)]))
        return None
    paths = [name.replace(".", "/") for name in names]
    patterns = [pattern for path in paths for pattern in (f"{path}.py", f"{path}/*")]
    measured, table = Coverage(), io.StringIO()
    measured.load()
    total = measured.report(include=patterns, show_missing=True, skip_covered=True, file=table)
    return None if total == 100 else f"pure code with untested branches:\n{table.getvalue()}"


if __name__ == "__main__":
    sys.exit(main())
