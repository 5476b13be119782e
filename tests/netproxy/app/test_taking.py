"""A run is taken over where it loses nothing by it, and its names mean what its user meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.launcher import program, request
from netproxy.app.settings import load_settings
from netproxy.app.taking import NotTaken, Offer, considered
from sandbox.wire import Handle, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    return {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


@pytest.fixture(autouse=True)
def restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway does this in a thread that has a working directory of its own."""
    monkeypatch.chdir(tmp_path)


def offered(
    tmp_path: Path,
    environ: dict[str, str],
    *flags: str,
    served: tuple[str, ...] = (),
    changed: Mapping[str, object] | None = None,
) -> Offer:
    """Offer a run with these flags, from `work`, to a gateway with those."""
    gateway = load_settings(parse_run([*served, "true"]), environ, directory=tmp_path)
    folder = os.open(tmp_path / "work", os.O_PATH)
    try:
        asked = request([*flags, "--", "cat", "x"], environ, folder)
        asked = {**asked, "has_terminal": False, **(changed or {})}
        return considered(asked, gateway, environ)
    finally:
        os.close(folder)


def test_what_is_taken(tmp_path: Path, environ: dict[str, str]) -> None:
    """Relative names are those of the launcher's folder; the launch can go over a line."""
    (tmp_path / "work" / "rules.toml").write_text("")
    (tmp_path / "work" / "netproxy.toml").write_text("")
    offer = offered(tmp_path, environ, "--config", "rules.toml", "--write", ".")
    assert offer.settings.config_file == tmp_path / "work" / "rules.toml"
    assert offer.blueprint.directory == str(tmp_path / "work")
    assert offer.launch.environment["NETPROXY_RUN"] == offer.execution_id
    assert unpack(*pack(offer.launch)) == offer.launch
    assert any("netproxy.toml" in line for line in offer.said)
    assert Path.cwd() == Path("/")
    # Read anew, it is the same: no project's file takes part that was not there.
    assert offer.load().sources == offer.settings.sources


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--gateway", "own"), "it wants one of its own"),
        (("--no-sandbox",), "it has no sandbox"),
        (("--dry-run",), "it has no sandbox"),
        (("--audit-mode", "strict"), "its audit or approval settings differ"),
        (("--audit-dir", "elsewhere"), "its audit or approval settings differ"),
        (("--otlp", "http://127.0.0.1:4318"), "its audit or approval settings differ"),
        (("--inbox", "127.0.0.1:0"), "it wants an inbox of its own"),
        (("--reach", "db=127.0.0.1:5432"), "services lead in or out of it"),
        (("--expose", "8080"), "services lead in or out of it"),
        (("--unix", "/run/x.sock"), "services lead in or out of it"),
        (("--write", "nowhere"), "no such file"),
        (("--config", "nowhere"), "nowhere"),
        (("--no-such",), "its options can't be used"),
        (("--help",), "its options can't be used"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_what_is_not(
    tmp_path: Path,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    why: str,
) -> None:
    """And of its mistakes the run itself speaks, not the gateway."""
    with pytest.raises(NotTaken, match=why):
        offered(tmp_path, environ, *flags)
    assert capfd.readouterr() == ("", "")


def test_nobody_loses_a_reviewer(tmp_path: Path, environ: dict[str, str]) -> None:
    """A terminal that could be asked, and a gateway that asks nobody."""
    never = ("--ask", "never")
    with pytest.raises(NotTaken, match="its terminal can be asked"):
        offered(tmp_path, environ, changed={"has_terminal": True})
    offered(tmp_path, environ, *never, changed={"has_terminal": True})
    with pytest.raises(NotTaken, match="this gateway asks nobody"):
        offered(tmp_path, environ, served=never)
    offered(tmp_path, environ, *never, served=never)
    offered(tmp_path, environ, served=("--inbox", "127.0.0.1:0"))


def test_both_ends_are_one_installation_and_one_home(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    other = {"program": ("0", *program()[1:])}
    with pytest.raises(NotTaken, match="another netproxy"):
        offered(tmp_path, environ, changed=other)
    # The same journal, and other files of rules.
    elsewhere = {"environ": {**environ, "XDG_CONFIG_HOME": str(tmp_path)}}
    with pytest.raises(NotTaken, match="its home is another one"):
        offered(tmp_path, environ, changed=elsewhere)
    file = os.open(__file__, os.O_RDONLY)
    try:
        with pytest.raises(NotTaken):
            offered(tmp_path, environ, changed={"directory": Handle(file)})
    finally:
        os.close(file)


def test_one_that_is_measured_by_itself(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "work" / "t.toml").write_text('[telemetry]\nlog_format = "json"\n')
    with pytest.raises(NotTaken, match=r"measured|t\.toml"):
        offered(tmp_path, environ, "--config", "t.toml")
