"""The arrows of the architecture hold, and a violation of each would be found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# What breaks each contract, all planted at once: to read the packages is most of a run.
VIOLATIONS = [
    ("otel stands below everybody", "otel/ids.py", "netproxy.model"),
    ("approvals is a stranger", "approvals/model.py", "sandbox.model"),
    ("sandbox is a stranger", "sandbox/model.py", "approvals.model"),
    ("only netproxy.app knows", "netproxy/transport/relay.py", "sandbox.token"),
    ("the arrows go down", "netproxy/policy/index.py", "netproxy.connection.gate"),
    ("pure code has no I/O", "netproxy/policy/engine.py", "time"),
    ("values are ready at once", "approvals/model.py", "dataclasses"),
]
LINT = str(Path(sys.executable).with_name("lint-imports"))


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_arrows_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What is said of the packages, with every violation in them, somewhere else."""
    folder = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        only_source = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=only_source)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for _, module, imported in VIOLATIONS:
        with (folder / module).open("a") as file:
            file.write(f"\nimport {imported}\n")
    done = lint(folder)
    assert done.returncode == 1
    yield done.stdout
    shutil.rmtree(folder)


@pytest.mark.parametrize(("contract", "module", "imported"), VIOLATIONS)
def test_a_violation_is_found(report: str, contract: str, module: str, imported: str) -> None:
    """Under its contract, by its line: what otel imports, everybody does, so all may be broken."""
    told = re.split(r"\n(.+)\n-{9,}\n", report.partition("Broken contracts")[2])
    (why,) = [part for name, part in zip(told[1::2], told[2::2], strict=True) if contract in name]
    importer = module.removesuffix(".py").replace("/", ".")
    assert f" {importer} -> {imported} (l." in why, report
