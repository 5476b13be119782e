"""The benchmark of the policy runs; its figures are for whoever reads them on a quiet machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "policy.py"


def test_a_small_mix_of_rules_is_measured_whole() -> None:
    command = [sys.executable, str(BENCH), "--sizes", "100", "200", "--decisions", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("--")] == ["-- 100 rules", "-- 200 rules"]
    for what in ("compiled", "linted", "memory", "exact names", "globs", "mixed, from a client's"):
        assert sum(line.startswith(what) for line in lines) == 2, what


def test_a_mix_that_lacks_a_kind_is_refused() -> None:
    command = [sys.executable, str(BENCH), "--sizes", "99"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "smallest mix" in done.stderr
