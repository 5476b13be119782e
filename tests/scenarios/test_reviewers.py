"""Rules and programs answer real clients of `netproxy serve`: who said what is on record."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from otel import attributes as a
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

PROGRAM = """#!/usr/bin/env python3
import json, sys
asked = json.load(sys.stdin)["request"]
if asked["host"] == "broken.test":
    sys.exit("no idea\\x1b[2J")
verdict = {"verdict": "deny", "scope": "session", "comment": "not " + asked["host"]}
print(json.dumps(verdict))
"""


def curl(proxy: str, url: str) -> tuple[str, str]:
    words = ["curl", "-sS", "-w", "\\n%{http_code}", "-x", proxy, url]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    body, _, code = done.stdout.rpartition("\n")
    return code, body


def reviews(netproxy: Netproxy) -> list[tuple[Any, ...]]:
    names = (a.REVIEW_VERDICT, a.REVIEW_SCOPE, a.REVIEWER_ID, a.REVIEWER_CHANNEL)
    hosts = {
        each["approval.id"]: each["server.address"]
        for each in netproxy.events("netproxy.approval.requested")
    }
    return [
        (hosts[each["approval.id"]], *(each[name] for name in names))
        for each in netproxy.events("netproxy.approval.reviewed")
    ]


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def test_rules_and_programs_answer_side_by_side(netproxy: Netproxy, base: Path) -> None:
    program = base / "reviewer"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    folder = netproxy.config / "netproxy"
    folder.mkdir()
    with Site() as site:
        (folder / "config.toml").write_text(f"""
[approvals]
store = "memory"
[[approvals.command]]
name = "desk"
argv = ["{program}"]
[[approvals.auto]]
name = "ours"
hosts = ["good.test:{site.port}"]
verdict = "allow"
scope = "session"
limit = 9
reason = "our own"
""")
        hosts = ("good.test", "bad.test", "broken.test")
        options = tuple(word for host in hosts for word in named(host))
        with Service(netproxy, *options) as service:
            proxy = f"http://{service.addresses[0]}"
            answers = {host: curl(proxy, f"http://{host}:{site.port}/") for host in hosts}
            assert curl(proxy, f"http://good.test:{site.port}/again")[0] == "200"
            service.stop()
        assert site.visits == ["/", "/again"]
    assert answers["good.test"] == ("200", "hello\n")
    denied = json.loads(answers["bad.test"][1])
    assert (denied["reason"], answers["bad.test"][0]) == ("denied_by_reviewer", "403")
    assert "command desk (command): not bad.test" in denied["message"]
    unheard = json.loads(answers["broken.test"][1])
    assert unheard["reason"] == "approval_unavailable"
    assert reviews(netproxy) == [
        ("good.test", "allow", "session", "rule ours", "auto"),
        ("bad.test", "deny", "session", "command desk", "command"),
    ]
    failures = [each["error.type"] for each in netproxy.events("netproxy.reviewer.failed")]
    assert "exit: desk ended with 1: no idea\\u001b[2J" in failures
    assert not any("rule" in each for each in failures), "no opinion is no failure"
