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


def test_what_it_reads_is_made_by_who_follows_its_first_lines(tmp_path: Path) -> None:
    """On a host without /etc/netproxy, whose settings are a file beside the unit."""
    (tmp_path / "config.toml").touch()
    lines = UNIT.read_text().splitlines()
    steps = [line.lstrip("# ") for line in lines if line.startswith("#   install ")]
    script = "\n".join(["set -e", *steps]).replace("/etc/", f"{tmp_path}/etc/")
    subprocess.run(["sh", "-c", script], check=True, cwd=tmp_path)
    made = tmp_path / "etc/netproxy"
    assert (made / "tokens").stat().st_mode & 0o777 == 0o600
    options = parse_serve([word.replace("%d", str(made)) for word in command()[2:]])
    assert options.token_file == made / "tokens"
    config = options.gateway.config
    assert config is not None
    assert (made / config.name).stat().st_mode & 0o777 == 0o644, "the service's user reads it"


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
