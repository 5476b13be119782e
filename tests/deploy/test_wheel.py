"""What is installed: beside the modules the files that they read, or they would fail elsewhere."""

from __future__ import annotations

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PACKAGES = ("netproxy", "approvals", "sandbox", "otel")


def test_every_file_of_a_package_is_in_the_wheel() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert sorted(found - packed) == []
    assert any(name.endswith(".sql") for name in packed)
