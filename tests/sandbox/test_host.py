"""bwrap is found where only root writes first, and never where the command may write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sandbox import host
from sandbox.errors import FenceUnavailable


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bwrap in it, on a host that has none of its own."""
    monkeypatch.setattr(host, "_SYSTEM", ())
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def test_the_systems_own_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder / "system"
    other.mkdir()
    (other / "bwrap").symlink_to(folder / "bwrap")
    monkeypatch.setattr(host, "_SYSTEM", (str(other),))
    assert host.find_bwrap(str(folder)) == str(other / "bwrap")


def test_path_is_searched(folder: Path) -> None:
    assert host.find_bwrap(f"/nowhere::{folder}") == str(folder / "bwrap")


def test_a_program_of_the_systems_is_nobody_elses(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert host.find_of_system("bwrap") is None
    monkeypatch.setattr(host, "_SYSTEM", ("/nowhere", str(folder)))
    assert host.find_of_system("bwrap") == str(folder / "bwrap")


@pytest.mark.parametrize("entry", [".", "", "bin"])
def test_a_relative_entry_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(FenceUnavailable):
        host.find_bwrap(entry)


def test_a_folder_that_the_command_may_write_does_not_count(folder: Path) -> None:
    with pytest.raises(FenceUnavailable) as refused:
        host.find_bwrap(str(folder), is_writable=lambda path: True)
    assert refused.value.cause.endswith("which builds its sandbox")
    assert "--write" in refused.value.fix


def test_a_link_into_such_a_folder_does_not_count(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("bin")
    (elsewhere / "bwrap").symlink_to(folder / "bwrap")
    with pytest.raises(FenceUnavailable):
        host.find_bwrap(str(elsewhere), is_writable=lambda path: path.startswith(str(folder)))


def test_without_bwrap_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_SYSTEM", ())
    with pytest.raises(FenceUnavailable) as refused:
        host.find_bwrap("/nowhere")
    assert "not installed" in refused.value.cause
    assert refused.value.fix == "type: sudo apt-get install bubblewrap"


ROOT = Path(host.__file__).resolve().parents[1]


def test_our_packages_and_interpreter_are_our_program() -> None:
    paths = host.program_paths(["/elsewhere", ""])
    assert {str(ROOT / name) for name in ("netproxy", "approvals", "sandbox", "otel")} < set(paths)
    assert str(Path(sys.prefix).resolve()) in paths
    assert str(ROOT) not in paths, "the rest of a checkout is the user's to work in"
    assert "/usr" not in paths


def test_a_folder_that_is_imported_from_is_ours_as_a_whole() -> None:
    """Python imports a sitecustomize.py from it, outside, at its next start."""
    assert str(ROOT) in host.program_paths(["/elsewhere", str(ROOT)])


def test_processes_have_the_numbers_that_they_know(tmp_path: Path) -> None:
    """Or not: the /proc of whoever made our PID namespace has other ones."""
    host.demand_proc()
    with pytest.raises(FenceUnavailable, match="another PID"):
        host.demand_proc(tmp_path)
    (tmp_path / "self").symlink_to("1")
    with pytest.raises(FenceUnavailable, match="another PID namespace"):
        host.demand_proc(tmp_path)
