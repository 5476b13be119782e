"""The arrows of the architecture hold, and a violation of each would be found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

LINT = str(Path(sys.executable).with_name("lint-imports"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The packages and the contracts, somewhere else."""
    folder = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        only_source = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=only_source)
    shutil.copy(ROOT / "pyproject.toml", folder)
    yield folder
    shutil.rmtree(folder)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_arrows_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("otel stands below everybody", "otel/ids.py", "import netproxy.model"),
        ("approvals is a stranger", "approvals/model.py", "import sandbox.model"),
        ("sandbox is a stranger", "sandbox/model.py", "import approvals.model"),
        ("only netproxy.app knows", "netproxy/transport/relay.py", "import sandbox.token"),
        ("the arrows go down", "netproxy/policy/index.py", "import netproxy.connection.gate"),
        ("pure code has no I/O", "netproxy/policy/engine.py", "import time"),
        ("values are ready at once", "approvals/model.py", "from dataclasses import dataclass"),
    ],
)
def test_a_violation_is_found(copy: Path, contract: str, module: str, line: str) -> None:
    file = copy / module
    before = file.read_text()
    file.write_text(f"{before}\n{line}\n")
    try:
        done = lint(copy)
    finally:
        file.write_text(before)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    # What otel imports, everybody does: that line breaks more than one.
    assert any(contract in line for line in broken), done.stdout
