"""`netproxy serve --metrics` as a Prometheus sees it; without it nothing of the SDK is there."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.metric_names import everything, labels_of
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def curl(*words: str) -> str:
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "", *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_numbers_of_a_running_gateway(netproxy: Netproxy, site: Site) -> None:
    rules = (*named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never")
    with Service(netproxy, *rules, "--metrics", "127.0.0.1:0") as service:
        service.says("metrics on ")
        page = service.err.rpartition("metrics on ")[2].split()[0]
        url = f"http://site.test:{site.port}/page"
        for _ in range(3):
            curl("-x", f"http://{service.address}", url)
        for number in range(20):
            curl("-x", f"http://{service.address}", f"http://h{number}.attacker.test/")
        text = curl(page)
        assert 'netproxy_decisions_total{decision="allow",reason="allowed_by_rule"' in text
        (denied,) = (line for line in text.splitlines() if 'decision="deny"' in line)
        assert denied.endswith(" 20.0")
        assert 'netproxy_connections_closed_total{reason="finished"} 3.0' in text
        assert "attacker" not in text
        assert "netproxy_journal_bytes_free_bytes" in text
        appends = next(
            line
            for line in text.splitlines()
            if line.startswith("netproxy_journal_append_seconds_count")
        )
        assert float(appends.split()[1]) >= 20
        known = everything()
        found = labels_of(text)
        assert len(found) > 10
        assert {name: labels for name, labels in found.items() if labels - known[name]} == {}
        # A gateway never lets a client scrape it through itself.
        assert "not_allowed" in curl("-x", f"http://{service.address}", page)
        assert service.stop() == 0
    assert len(netproxy.decisions()) == 24
