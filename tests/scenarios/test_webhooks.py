"""The whole loop, for real: curl asks through `netproxy serve`, the example receiver answers."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from otel import attributes as a
from tests.support.example_receiver import receiver
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def curl(proxy: str, url: str) -> tuple[str, str]:
    words = ["curl", "-sS", "-w", "\\n%{http_code}", "-x", f"http://{proxy}", url]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    body, _, code = done.stdout.rpartition("\n")
    return code, body


def test_questions_go_out_and_decisions_come_back(netproxy: Netproxy) -> None:
    folder = netproxy.config / "netproxy"
    folder.mkdir()
    options = ("--allow", "good.test:*", "--deny", "bad.test:*", "--reviewer", "anna@example.org")
    with Site() as site, receiver(folder, *options) as running:
        (folder / "config.toml").write_text(f"""
[approvals]
inbox = "127.0.0.1:{free_port()}"
[[approvals.webhook]]
name = "ops"
url = "{running.url}"
allow_private = ["127.0.0.1"]
secret_file = "{folder}/ops.out"
reply_secret_file = "{folder}/ops.in"
max_scope = "once"
may_assert = ["*@example.org"]
""")
        tried = netproxy("webhook", "test", "ops")
        assert (tried.status, tried.err) == (0, "")
        assert tried.out.startswith("ops: delivered to http://127.0.0.1")
        with Service(netproxy, *named("good.test", "bad.test")) as service:
            proxy = service.addresses[0]
            good = curl(proxy, f"http://good.test:{site.port}/")
            bad = curl(proxy, f"http://bad.test:{site.port}/")
            service.stop()
        assert (good, site.visits) == (("200", "hello\n"), ["/"])
        refusal = json.loads(bad[1])
        assert (bad[0], refusal["reason"]) == ("403", "denied_by_reviewer")
        assert "anna@example.org by ops (webhook)" in refusal["message"]
        said: list[str] = []
        wanted = ("  deny (once): 200", f"- http://good.test:{site.port}: ")  # in either order
        while not all(any(line.startswith(each) for line in said) for each in wanted):
            said.append(running.line())
    assert said[0] == "- endpoint.ping"
    assert said[1].startswith(f"? http://good.test:{site.port} wanted by ")
    assert any(line.startswith("  allow (once): 200") for line in said)
    reviewed = [
        (each[a.REVIEW_VERDICT], each[a.REVIEWER_ID], each[a.REVIEWER_CHANNEL])
        for each in netproxy.events("netproxy.approval.reviewed")
    ]
    by = "anna@example.org by ops"
    assert reviewed == [("allow", by, "webhook"), ("deny", by, "webhook")]
    notified = netproxy.events("netproxy.approval.notified")
    assert [each[a.REVIEWER_ID] for each in notified] == ["ops", "ops"]
