"""`netproxy doctor` says whether `run` will work, and what is missing."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import doctor
from tests.support.hiding import without
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person


def test_a_host_that_can(person: Person, base: Path) -> None:
    done = Netproxy(person, base)("doctor")
    assert done.status == 0
    assert done.out.endswith("netproxy run will work here.\n")
    assert "FAIL" not in done.out


def test_what_a_killed_run_left_is_removed(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    left = netproxy.workspace / ".vscode"
    left.mkdir()
    left.chmod(0o1755)
    assert f"removed what a killed run left: {left}" in netproxy("doctor").out
    assert not left.exists()


def test_the_same_for_programs(me: Person, base: Path) -> None:
    checks = json.loads(Netproxy(me, base)("doctor", "--json").out)
    assert {"bubblewrap", "sandbox", "audit journal", "control socket"} <= {
        check["name"] for check in checks
    }
    assert all(check["ok"] for check in checks if check["required"])


def test_a_host_without_bwrap(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    done = subprocess.run(
        [*without("bwrap"), *netproxy.argv("doctor")],
        capture_output=True,
        text=True,
        env=netproxy.environment(),
        check=False,
    )
    assert done.returncode == 1
    assert "FAIL  bubblewrap: " in done.stdout
    assert "apt-get install bubblewrap" in done.stdout
    assert done.stdout.endswith("netproxy run will refuse here.\n")


def test_a_folder_that_is_gone(me: Person, base: Path) -> None:
    """What a run would say before anything else, the doctor says, and nothing of the rest."""
    netproxy = Netproxy(me, base)
    done = subprocess.run(
        ["sh", "-c", 'mkdir x; cd x; rmdir ../x; exec "$@"', "sh", *netproxy.argv("doctor")],
        cwd=netproxy.workspace,
        capture_output=True,
        text=True,
        env=netproxy.environment(),
        check=False,
    )
    assert done.returncode == 1
    assert "FAIL  process: the working directory is gone; change to one" in done.stdout
    assert done.stderr == ""


def test_a_journal_that_cannot_be_written(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    (netproxy.state / "netproxy").mkdir(mode=0o700)
    (netproxy.state / "netproxy" / "audit").write_text("a file where a folder must be\n")
    done = netproxy("doctor")
    assert done.status == 1
    assert "FAIL  audit journal" in done.out


def configured(netproxy: Netproxy, text: str) -> Path:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir()
    path.write_text(text)
    return path


def test_the_journal_that_settings_name(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    path = configured(netproxy, f"[audit]\ndirectory = '{netproxy.audit}'\n")
    done = netproxy("doctor")
    assert done.status == 0
    assert f"ok    settings: from {path}\n" in done.out
    assert f"ok    audit journal: in {netproxy.audit}\n" in done.out
    path.write_text("[audit]\nkey = '/nonexistent/k'\n")
    done = netproxy("doctor")
    assert done.status == 0
    assert "; but the journal is not signed: audit key /nonexistent/k: no such file" in done.out


@pytest.mark.parametrize(
    ("text", "said", "status"),
    [
        pytest.param("bad = [", "settings: ", 78, id="no-toml"),
        pytest.param(
            "[audit]\nmode = 'strict'\nkey = '/nonexistent/k'\n",
            "audit journal: audit key /nonexistent/k: no such file",
            125,
            id="no-key",
        ),
        pytest.param(
            "[audit]\ndirectory = '/var/spool'\n",
            "audit journal: ",
            125,
            id="not-ours",
        ),
        pytest.param(None, "settings: ", 78, id="unreadable"),
    ],
)
def test_what_every_run_would_refuse(
    ordinary: Person, base: Path, text: str | None, said: str, status: int
) -> None:
    """Fit is only what a run with the same settings is: its own word is asked beside."""
    netproxy = Netproxy(ordinary, base)
    path = configured(netproxy, text or "")
    path.chmod(0o644 if text is not None else 0)
    assert netproxy("run", "--", "true").status == status
    done = netproxy("doctor")
    assert done.status == 1
    assert f"FAIL  {said}" in done.out
    assert done.out.endswith("netproxy run will refuse here.\n")
    assert done.err == ""


@pytest.mark.usefixtures("homeless")
def test_without_a_home(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 1
    told = "FAIL  settings: HOME is not set, and this user has no home folder; "
    assert told in capsys.readouterr().out


def test_a_home_that_the_terminal_can_not_spell(me: Person, base: Path) -> None:
    state = base / "stäte"
    state.mkdir()
    ascii_only = {"XDG_STATE_HOME": str(state), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    netproxy = Netproxy(me, base)
    done = subprocess.run(
        [part for part in netproxy.argv("doctor") if part != "-I"],  # which reads no variables
        capture_output=True,
        text=True,
        env=netproxy.environment(ascii_only),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "audit journal: in " + str(base / "st\\xe4te") in done.stdout


def test_every_attempt_of_the_probe_can_be_seen(person: Person, base: Path) -> None:
    netproxy = Netproxy(person, base)
    done = netproxy("doctor", "--probe")
    assert done.status == 0, done.out
    assert "held  io_uring                          ENOSYS\n" in done.out
    assert "The sandbox holds: " in done.out.splitlines()[-1]
    told = json.loads(netproxy("doctor", "--probe", "--json").out)
    assert told["held"] is True
    assert {"name": "io_uring", "answer": "ENOSYS", "held": True} in told["attempts"]
