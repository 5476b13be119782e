"""A run inside a run: what its options may say there, and how its command is executed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import _OPTIONS, given_flags, parse_run
from netproxy.app.joining import _HONOURED, _OUTER_RUNS, join

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENVIRON = {
    "PATH": "/bin",
    "NETPROXY": "1",
    "NETPROXY_RUN": "r-1",
    "http_proxy": "http://x",
    "A": "1",
}


class Executed(BaseException):
    """In the place of the process that is no more."""


def joined(*words: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The command and the environment with which it was executed."""
    found: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def execute(words: tuple[str, ...], environment: Mapping[str, str]) -> object:
        found.append((tuple(words), dict(environment)))
        raise Executed

    with pytest.raises(Executed):
        join(parse_run([*words]), given_flags([*words]), ENVIRON, execute)
    return found[0]


@pytest.fixture(autouse=True)
def _signals() -> object:
    before = {number: signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_command_is_executed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    words, environment = joined(
        "--allow", "*", "--no-sandbox", "--allow=a.test", "--", "curl", "-s"
    )
    assert words == ("curl", "-s")
    assert environment == ENVIRON
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
    assert capsys.readouterr().err == (
        "netproxy run: this is inside a netproxy run: the command joins it, under its rules "
        "(not looked at: --allow, --no-sandbox)\n"
    )


@pytest.mark.parametrize("words", [("--deny", "a.test"), ("--config=x.toml",), ("--profile", "ci")])
def test_what_would_narrow_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    line = [*words, "--", "true"]
    assert join(parse_run(line), given_flags(line), ENVIRON) == os.EX_USAGE
    said = capsys.readouterr().err
    assert words[0].partition("=")[0] in said
    assert "give it to the outer run" in said


def test_whatever_is_not_known_here_is_refused() -> None:
    """An option that comes later narrows, until somebody has thought about it."""
    refused = set(_OPTIONS) - _OUTER_RUNS - _HONOURED
    assert {"--deny", "--config", "--profile"} <= refused


@pytest.mark.skipif(os.getuid() != 0, reason="others' processes are counted")
def test_a_limit_that_would_not_hold_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--limit", "processes=9", "--", "true"]
    assert join(parse_run(line), given_flags(line), ENVIRON) == os.EX_USAGE
    assert "can't be enforced for root" in capsys.readouterr().err


def test_its_environment_can_be_less() -> None:
    words = ("--inherit-env", "none", "--env", "A", "--env", "B=2", "--", "env")
    assert joined(*words)[1] == {
        "NETPROXY": "1", "NETPROXY_RUN": "r-1", "http_proxy": "http://x", "A": "1", "B": "2",
    }  # fmt: skip


def test_a_time_limit_is_anothers_work() -> None:
    words, _ = joined("--timeout", "1.5", "--", "sleep", "9")
    assert words[0] == "timeout"
    assert words[-3:] == ("1.500000", "sleep", "9")
    assert joined("--timeout", "0.0000001", "--", "true")[0][-2] == "0.000001", "0 is no limit"


def test_a_time_limit_ends_what_the_command_left_as_well() -> None:
    """Where there is no terminal, which another process group would lose."""
    line = ["--timeout", "0.2", "--", "sh", "-c", "sleep 60 & wait; true"]
    script = (
        "import os; from netproxy.app.cli.run_options import given_flags, parse_run;"
        "from netproxy.app.joining import join;"
        f"join(parse_run({line}), given_flags({line}), os.environ)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,  # read to its end: all that may write there is gone
        check=False,
        timeout=30,
    )
    assert done.returncode == 124, done.stderr


def test_a_limit_is_set_and_never_raised() -> None:
    """In a process of its own: what was lowered can't be raised again (setrlimit(2))."""
    line = ["--limit", "cpu-seconds=9000", "--limit", "open-files=5000", "--"]
    line += ["sh", "-c", "ulimit -t; ulimit -n; kill -s PIPE $$"]
    script = (
        "import os; from netproxy.app.cli.run_options import given_flags, parse_run;"
        "from netproxy.app.joining import join;"
        f"join(parse_run({line}), given_flags({line}), os.environ)"
    )
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 512; exec "$@"', "sh", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["9000", "512"], done.stderr
    assert done.returncode == -signal.SIGPIPE


def test_an_empty_name_is_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    """As in a shell; a name that is a variable without a value is the usual cause."""
    assert join(parse_run(["--", "", "x"]), (), ENVIRON) == 127
    assert capsys.readouterr().err.endswith("netproxy run: : command not found\n")


@pytest.mark.parametrize(
    ("number", "status", "why"),
    [(errno.ENOENT, 127, "command not found"), (errno.EACCES, 126, "cannot be executed")],
)
def test_a_command_that_can_not_be_executed(
    capsys: pytest.CaptureFixture[str], number: int, status: int, why: str
) -> None:
    def fail(*_: object) -> object:
        raise OSError(number, "no")

    assert join(parse_run(["nope"]), (), ENVIRON, fail) == status
    assert capsys.readouterr().err.endswith(f"netproxy run: nope: {why}\n")


def test_it_is_executed_as_an_outer_command_is(tmp_path: Path) -> None:
    """A script that names no interpreter is the shell's; a variable without a name is left out."""
    script = tmp_path / "script"
    script.write_text('echo "$0 $1 $A"\nenv | grep -c "^="\n')
    script.chmod(0o755)
    joins = "import sys; from netproxy.app.joining import execute; execute(tuple(sys.argv[2:]), {}"
    for word in (str(script), "script"):
        told = joins + " | {'': 'x', 'A': '1', 'PATH': sys.argv[1]})"
        path = f"{tmp_path}:/usr/bin:/bin"
        done = subprocess.run(
            [sys.executable, "-c", told, path, word, "a b"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout == f"{script} a b 1\n0\n", done.stderr
