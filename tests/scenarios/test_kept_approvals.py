"""A service is killed in the middle: what its sessions were told is there when it is back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import pytest

from otel import read
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

ANNA, BERT = "anna-0123456789-0123456789-0123456789", "bert-0123456789-0123456789-0123456789"
YES = """
[[approvals.auto]]
name = "once"
hosts = ["site.test:{port}"]
verdict = "allow"
scope = "session"
limit = 1
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def asked(service: Service, token: str, site: Site) -> str:
    """The status that curl sees."""
    words = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "--max-time", "15"]
    proxy = f"http://x:{token}@{service.address}"
    done = subprocess.run(
        [*words, "-x", proxy, f"http://site.test:{site.port}/"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout


def test_a_yes_outlives_the_gateway_that_was_killed(me: Person, base: Path, site: Site) -> None:
    netproxy = Netproxy(me, base)
    file = netproxy.config / "tokens"
    file.write_text(f"anna:{ANNA}\nbert:{BERT}\n")
    file.chmod(0o600)
    settings = netproxy.config / "netproxy" / "config.toml"
    settings.parent.mkdir(0o700)
    settings.write_text(YES.format(port=site.port))
    options = ("--token-file", str(file), *named("site.test"))

    with Service(netproxy, *options) as service:
        assert asked(service, ANNA, site) == "200"
        service.signal(signal.SIGKILL)
        service.ends()
    # Nobody answers any more: what is let through now was allowed before.
    settings.write_text("[approvals]\nhold_seconds = 0.2\n")
    with Service(netproxy, *options) as service:
        assert asked(service, ANNA, site) == "200"
        assert asked(service, BERT, site) == "403"
        assert service.stop() == 0

    records = list(read(netproxy.audit, print))
    (asked_by,) = {
        record.attributes["session.id"]
        for record in records
        if record.name == "netproxy.grant.created"
    }
    reasons = [
        (record.attributes["session.id"] == asked_by, record.attributes["network.policy.reason"])
        for record in records
        if record.name == "netproxy.policy_decision"
    ]
    assert reasons[:2] == [(True, "approved"), (True, "allowed_by_grant")]
    assert reasons[2][0] is False
    store = sqlite3.connect(netproxy.state / "netproxy" / "approvals.db")
    assert store.execute("SELECT session_id FROM grants WHERE ended_at IS NULL").fetchall() == [
        (asked_by,)
    ]
    names = "SELECT name FROM sessions ORDER BY name"
    assert [name for (name,) in store.execute(names)] == ["anna", "bert"]
    assert not any((netproxy.state / "netproxy" / "approvals.db.gateways").iterdir())
    store.close()
