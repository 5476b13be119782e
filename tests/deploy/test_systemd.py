"""The systemd unit is one, keeps the service in, and starts what its command line says."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.serve_options import parse_serve
from tests.support.people import ROOT

if TYPE_CHECKING:
    from pathlib import Path

UNIT = ROOT / "deploy/examples/systemd/netproxy.service"


def command() -> list[str]:
    (line,) = [each for each in UNIT.read_text().splitlines() if each.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart="))


def test_the_command_line_is_one() -> None:
    program, verb, *words = command()
    assert (program, verb) == ("/usr/bin/netproxy", "serve")
    options = parse_serve([word.replace("%d", "/run/credentials") for word in words])
    assert all(each.is_loopback for each in options.listen)
    assert options.token_file is not None


def test_who_changes_the_tokens_is_told_to_restart() -> None:
    """A credential is a copy of the start: a reload would leave who was taken out let in."""
    assert "LoadCredential=tokens:" in UNIT.read_text()
    assert "change the tokens, then `systemctl restart netproxy`" in UNIT.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_it_and_finds_it_tight(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/netproxy", sys.executable))
    for words in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(
            ["systemd-analyze", *words, str(copy)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == "" or words[0] == "security", done.stderr
