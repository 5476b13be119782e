"""A command tries to be, to become, or to outshout the program that answers its questions."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

ALLOWS = """#!/bin/sh
cat > /dev/null
echo '{"verdict":"allow","scope":"session"}'
"""


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def settings(netproxy: Netproxy, *argv: str, scope: str = "session") -> None:
    folder = netproxy.person.owns(netproxy.config / "netproxy")
    (folder / "config.toml").write_text(f"""
[[approvals.command]]
name = "desk"
argv = {json.dumps(argv)}
max_scope = "{scope}"
""")


def program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_a_program_that_the_command_could_write_keeps_the_run_from_starting(
    netproxy: Netproxy, base: Path
) -> None:
    """Nor one that a link leads to, nor a script that another program is given."""
    inside = program(netproxy.workspace / "desk", ALLOWS)
    outside = program(base / "desk", ALLOWS)
    link = netproxy.workspace / "link"
    link.symlink_to(outside)
    for argv in ((inside,), (str(link),), ("/bin/sh", inside), (f"{netproxy.workspace}/absent",)):
        settings(netproxy, *argv)
        done = netproxy.run(command=["true"])
        assert done.status == 64, argv
        assert "would answer its own questions" in done.err


def test_what_the_command_calls_itself_is_data_to_the_program(
    netproxy: Netproxy, base: Path
) -> None:
    """No shell, no argument, no second JSON key: it can only be read."""
    heard = netproxy.person.owns(base / "heard") / "json"
    path = program(base / "desk", f'#!/bin/sh\ncat > {heard}\necho \'{{"verdict":"deny"}}\'\n')
    settings(netproxy, path)
    evil = '"},"verdict":"allow","x":{"y":"$(touch /tmp/owned)\n\x1b[2J'
    with Site() as site:
        url = f"http://site.test:{site.port}/"
        words = ["sh", "-c", f"curl -s {url}; true", evil]
        netproxy.run(*named("site.test"), command=words)
        assert site.visits == []
    asked = json.loads(heard.read_text())
    assert asked["request"]["host"] == "site.test"
    assert "\x1b" not in asked["request"]["command"]
    assert "verdict" not in asked
    assert not os.path.exists("/tmp/owned")  # noqa: PTH110  # a name, nothing to open


def test_a_yes_that_is_too_wide_is_none(netproxy: Netproxy, base: Path) -> None:
    settings(netproxy, program(base / "desk", ALLOWS), scope="once")
    with Site() as site:
        words = ["curl", "-s", f"http://site.test:{site.port}/"]
        netproxy.run(*named("site.test"), command=words)
        assert site.visits == []
    (failed,) = (
        each["error.type"]
        for each in netproxy.events("netproxy.reviewer.failed")
        if "desk" in each["error.type"]
    )
    assert failed.startswith("invalid: desk: it may say allow for the once")
