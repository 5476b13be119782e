"""What a run's fence is built from follows from its settings, its caller's environment and disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.app.blueprint import Blueprint, draw
from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import load_settings
from sandbox.capture import Capture
from sandbox.errors import PlanRefused
from sandbox.host import find_bwrap
from sandbox.launch import listen_on_host
from sandbox.model import Backend
from sandbox.streams import Streams

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = Streams(terminals=(), path=None)


def drawn(
    home: Path, monkeypatch: pytest.MonkeyPatch, *flags: str, spelled: str = "work"
) -> Blueprint:
    work = home / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "MARK": "kept"}
    environ["PWD"] = str(home / spelled)
    environ |= {"\x1b_TOKEN": "x", "OLDPWD": "/"}
    return draw(load_settings(parse_run([*flags, "--", "cat", "x"]), environ), environ)


def test_of_a_run_in_a_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sees the namespace's own listeners, whatever the caller's environment says."""
    found = drawn(tmp_path, monkeypatch)
    assert found.plan is not None
    assert found.bwrap == find_bwrap("")
    assert str(tmp_path / "work") in found.plan.writable()
    launch = found.launch(STREAMS, "r-1", added={"TRACEPARENT": "00-1"})
    assert launch.command == ("cat", "x")
    assert launch.directory == str(tmp_path / "work")
    environment = launch.environment
    assert (environment["MARK"], environment["TRACEPARENT"]) == ("kept", "00-1")
    assert (environment["NETPROXY_RUN"], environment["NETPROXY_HTTP"]) == ("r-1", "127.0.0.1:3128")
    assert launch.capture is Capture.AUTO
    none = listen_on_host()
    none.close()
    started = found.started(replace(none, no_capture="no nf_tables"))
    assert started.capture == "off: no nf_tables"
    assert environment["PWD"] == launch.directory
    assert not {"XDG_RUNTIME_DIR", "\x1b_TOKEN"} & environment.keys()
    assert started.withheld == ("\\u001b_TOKEN", "XDG_RUNTIME_DIR")
    assert (started.executable, started.backend) == ("cat", Backend.BUBBLEWRAP)
    assert started.plan == found.plan.lines()


@pytest.mark.parametrize(
    ("link", "is_kept"), [("link", True), (".ssh/link", False), ("missing", False)]
)
def test_the_directory_is_spelled_as_its_caller_does_if_that_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str, *, is_kept: bool
) -> None:
    """A link in a hidden folder, or below /tmp, is not there inside."""
    (tmp_path / ".ssh").mkdir()
    for place in (tmp_path / "link", tmp_path / ".ssh/link"):
        place.symlink_to(tmp_path / "work")
    # All of it lies below /tmp, which is private inside: shown is what the profile opens.
    flags = ("--write", str(tmp_path))
    found = drawn(tmp_path, monkeypatch, *flags, spelled=link)
    assert found.directory == str(tmp_path / (link if is_kept else "work"))


def test_a_policy_file_in_a_folder_that_may_be_written_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "given" / "rules.toml"
    config.parent.mkdir()
    config.write_text("")
    flags = ("--config", str(config), "--write", str(config.parent))
    assert set(drawn(tmp_path, monkeypatch, *flags).pinned()) == {config}


def test_of_a_run_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = drawn(tmp_path, monkeypatch, "--no-sandbox")
    assert (found.plan, found.bwrap, found.pinned()) == (None, None, {})
    listeners = listen_on_host()
    try:
        launch = found.launch(STREAMS, "r-1", listeners=listeners, added={})
        assert launch.environment["NETPROXY_HTTP"] == listeners.addresses().http
    finally:
        listeners.close()
    assert launch.capture is Capture.OFF
    started = found.started(listeners)
    assert (started.backend, started.plan, started.capture) == (Backend.NONE, (), None)


def test_without_a_sandbox_capture_alone_would_leave_no_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlanRefused, match="--capture only"):
        drawn(tmp_path, monkeypatch, "--no-sandbox", "--capture", "only")
