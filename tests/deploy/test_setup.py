"""`make setup` on machines of every kind, played by stand-in programs: nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.people import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# What setup itself is made of; everything else in its PATH is a stand-in.
TOOLS = ("sh", "dirname", "cat", "env", "ln", "ls", "mkdir", "cp", "rm", "sort", "touch", "tr")
# Answers as a Python of `version` does, and builds "virtual environments" of itself.
PYTHON = """#!/bin/sh
echo "{name} $*" >>"$LOG"
case "$*" in
    "-c import sys; sys.exit"*) exit {too_old} ;;
    "-c import sys; print"*) echo python{version}-venv ;;
    "-c import venv, ensurepip") exit {no_venv} ;;
    "-c import pip") exit 0 ;;
    --version) echo "Python {version}.0" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A checkout, a PATH and a home, and a log of what was started."""

    folder: Path

    def has(self, name: str, script: str = "exit 0", *, where: str = "bin") -> None:
        path = self.folder / where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{script}\n')
        path.chmod(0o755)

    def has_python(
        self, version: str, *, name: str = "python3", where: str = "bin", venv: bool = True
    ) -> None:
        path = self.folder / where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        too_old = int(tuple(map(int, version.split("."))) < (3, 12))
        path.write_text(
            PYTHON.format(name=name, version=version, too_old=too_old, no_venv=int(not venv))
        )
        path.chmod(0o755)

    def is_used_by(self, uid: int) -> None:
        self.has("id", f"echo {uid}")

    def sets_up(
        self, *command: str, extra: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command or [self.checkout / "deploy" / "setup"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.checkout,
            env={
                "PATH": str(self.folder / "bin"),
                "HOME": str(self.folder / "home"),
                "LOG": str(self.folder / "log"),
                **(extra or {}),
            },
        )

    @property
    def checkout(self) -> Path:
        return self.folder / "check out"

    @property
    def log(self) -> list[str]:
        """What was started, without setup's questions to interpreters; read once."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if " -c " not in line and not line.startswith("id ")]


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """Debian without a Python and without bubblewrap, used by root."""
    machine = Machine(folder=tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    machine.is_used_by(0)
    machine.has("apt-get")
    for path in ("deploy/setup", "Makefile", "pyproject.toml", "requirements-dev.lock"):
        (machine.checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, machine.checkout / path)
    return machine


@pytest.fixture
def machine(bare: Machine) -> Machine:
    """The same with the system package, so that only Python is in question."""
    bare.has("bwrap")
    return bare


def test_a_python_in_path_is_used_and_everything_comes_from_the_lock(machine: Machine) -> None:
    machine.has_python("3.12", name="python3.12")
    done = machine.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"setup: using Python 3.12.0 at {machine.folder}/bin/python3.12",
        "setup: installing the locked dependencies",
        "setup: done: .venv/bin/netproxy --help",
    ]
    pip = "python3.12 -m pip install --quiet --disable-pip-version-check"
    assert machine.log == [
        "python3.12 --version",
        "python3.12 -m venv .venv",
        f"{pip} --require-hashes -r requirements-dev.lock",
        f"{pip} --no-deps --no-build-isolation --editable .",
        "python3.12 -m compileall -q netproxy approvals sandbox otel",
    ]


@pytest.mark.parametrize(
    ("in_path", "in_pyenv", "used"),
    [
        pytest.param({"python3": "3.13"}, ["3.13.0"], "bin/python3", id="path-before-pyenv"),
        pytest.param(
            {"python3": "3.11", "python3.12": "3.12"}, [], "bin/python3.12", id="the-new-enough"
        ),
        pytest.param(
            {"python3.12": "3.12", "python3.13": "3.13"}, [], "bin/python3.13", id="the-newer"
        ),
        pytest.param(
            {"python3.14": "3.14", "python3.12": "3.12"}, [], "bin/python3.12", id="a-tested-one"
        ),
        pytest.param({"python3.14": "3.14"}, [], "bin/python3.14", id="else-an-untested-one"),
        pytest.param(
            {"python3": "3.11"},
            ["3.9.18", "3.12.1", "3.11.7"],
            "home/.pyenv/versions/3.12.1/bin/python3",
            id="pyenv",
        ),
        pytest.param(
            {},
            ["3.12.9", "3.12.10", "3.9.18"],
            "home/.pyenv/versions/3.12.10/bin/python3",
            id="pyenv-newest",
        ),
    ],
)
def test_which_python_is_used(
    machine: Machine, in_path: dict[str, str], in_pyenv: list[str], used: str
) -> None:
    for name, version in in_path.items():
        machine.has_python(version, name=name)
    for version in in_pyenv:
        short = version.rpartition(".")[0]
        machine.has_python(short, where=f"home/.pyenv/versions/{version}/bin")
    done = machine.sets_up()
    assert done.returncode == 0, done.stderr
    assert f"at {machine.folder}/{used}\n" in done.stdout


def test_pyenv_may_be_elsewhere(machine: Machine) -> None:
    machine.has_python("3.13", where="my pyenv/versions/3.13.0/bin")
    done = machine.sets_up(extra={"PYENV_ROOT": str(machine.folder / "my pyenv")})
    assert done.returncode == 0, done.stderr
    assert "my pyenv/versions/3.13.0/bin/python3\n" in done.stdout


def test_a_python_that_does_not_run_is_passed_over(machine: Machine) -> None:
    """pyenv leaves a program for every version in PATH, which fails while another one is chosen."""
    machine.has("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    machine.has_python("3.12", name="python3.12")
    done = machine.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert "bin/python3.12\n" in done.stdout


def test_without_a_python_uv_brings_one(machine: Machine) -> None:
    machine.has_python("3.11")
    machine.has_python("3.13", name="uv's", where="uv")
    machine.has("uv", f'mkdir -p .venv/bin && cp "{machine.folder}/uv/uv\'s" .venv/bin/python')
    done = machine.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("setup: no Python 3.12 or newer found; asking uv for one\n")
    assert "uv venv --quiet --seed --python >=3.12 .venv" in machine.log


def test_without_any_python_it_says_what_it_looked_for(machine: Machine) -> None:
    machine.has_python("3.11")
    done = machine.sets_up()
    assert done.returncode == 1
    for place in ("python3.13", "python3.12", "python3 in PATH", "PYENV_ROOT", "~/.pyenv", "uv"):
        assert place in done.stdout
    assert machine.log == []
    assert not (machine.checkout / ".venv").exists()


def test_root_installs_what_is_missing(bare: Machine) -> None:
    bare.has_python("3.12")
    bare.has("apt-get", 'echo "frontend ${DEBIAN_FRONTEND:-}" >>"$LOG"; echo chatter')
    done = bare.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("setup: installing bubblewrap\n")
    assert bare.log[:4] == [
        "apt-get update -qq",
        "frontend ",
        "apt-get install -y -qq bubblewrap",
        "frontend noninteractive",
    ]


def test_a_user_with_sudo_installs_through_it(bare: Machine) -> None:
    bare.has_python("3.12")
    bare.is_used_by(1000)
    bare.has("sudo", '[ "$1" != -n ] || shift; exec "$@"')
    bare.has("true")
    done = bare.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    log = bare.log
    assert log[:4] == ["sudo -n true", "true ", "sudo apt-get update -qq", "apt-get update -qq"]
    assert "apt-get install -y -qq bubblewrap" in log


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no-sudo", "sudo-wants-a-password"])
def test_others_read_the_line_to_type(bare: Machine, sudo: str | None) -> None:
    """Nothing asks for a password; the rest of the set-up goes on."""
    bare.has_python("3.12")
    bare.is_used_by(1000)
    if sudo is not None:
        bare.has("sudo", sudo)
    done = bare.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    line = "sudo apt-get update && sudo apt-get install -y bubblewrap"
    assert f"setup:     {line}\n" in done.stdout
    assert not [entry for entry in bare.log if entry.startswith("apt-get")]


def test_a_failed_installation_ends_with_the_line_to_type(bare: Machine) -> None:
    bare.has_python("3.12")
    bare.has("apt-get", "echo 'E: no network' >&2; exit 100")
    done = bare.sets_up()
    assert done.returncode == 0
    assert done.stderr == "E: no network\n"
    assert "Type: sudo apt-get update && sudo apt-get install -y bubblewrap\n" in (done.stdout)


def test_other_systems_read_the_packages_names(bare: Machine) -> None:
    bare.has_python("3.12")
    (bare.folder / "bin" / "apt-get").unlink()
    done = bare.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert "package manager: bubblewrap\n" in done.stdout


def test_debians_python_gets_its_venv(machine: Machine) -> None:
    """A fresh Ubuntu has a Python that is new enough, with venv in another package."""
    machine.has_python("3.12", venv=False)
    machine.has_python("3.12", name="with-venv")
    python = machine.folder / "bin" / "python3"
    machine.has("apt-get", f'[ "$1" != install ] || cp "$(dirname "$0")/with-venv" "{python}"')
    done = machine.sets_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert "setup: installing python3.12-venv\n" in done.stdout
    assert f"using Python 3.12.0 at {python}\n" in done.stdout


def _builds(machine: Machine) -> bool:
    """Whether setup built the environment now."""
    done = machine.sets_up()
    assert done.returncode == 0, done.stderr
    return any(" -m venv " in line for line in machine.log)


def test_a_good_environment_is_kept(machine: Machine) -> None:
    machine.has_python("3.12")
    assert _builds(machine)
    assert not _builds(machine)


@pytest.mark.parametrize("spoiled", ["older", "newer", "dangling", "unfinished", "moved"])
def test_any_other_is_built_again(machine: Machine, spoiled: str) -> None:
    machine.has_python("3.12")
    assert _builds(machine)
    python, mark = (machine.checkout / ".venv" / name for name in ("bin/python", ".complete"))
    match spoiled:
        case "older":
            machine.has_python("3.11", name="python", where="check out/.venv/bin")
        case "newer":  # the system's Python went on, and what was installed belongs to the last one
            python.write_text(python.read_text().replace('pip") exit 0', 'pip") exit 1'))
        case "dangling":
            python.unlink()
            python.symlink_to("nowhere")
        case "unfinished":
            mark.unlink()
        case _:
            mark.write_text("/another/place\n")
    assert _builds(machine)
    assert not _builds(machine)


@pytest.fixture
def make(machine: Machine) -> str:
    found = shutil.which("make")
    if found is None:
        pytest.skip("make is not installed")
    machine.has_python("3.12")
    return found


def test_make_does_nothing_the_second_time(machine: Machine, make: str) -> None:
    first = machine.sets_up(make, "setup")
    assert (first.returncode, first.stderr) == (0, "")
    assert machine.log
    second = machine.sets_up(make, "setup")
    assert (second.returncode, second.stderr) == (0, "")
    assert machine.log == []


@pytest.mark.parametrize("change", ["lock", "interpreter-gone", "folder-moved"])
def test_make_notices_what_makes_a_set_up_stale(machine: Machine, make: str, change: str) -> None:
    assert machine.sets_up(make, "setup").returncode == 0
    assert machine.log
    match change:
        case "lock":
            os.utime(machine.checkout / "requirements-dev.lock")
            os.utime(machine.checkout / ".venv" / ".complete", (1, 1))
        case "interpreter-gone":
            (machine.checkout / ".venv" / "bin" / "python").unlink()
        case _:
            (machine.checkout / ".venv" / ".complete").write_text("/another/place\n")
    done = machine.sets_up(make, "setup")
    assert done.returncode == 0, done.stderr
    assert machine.log
