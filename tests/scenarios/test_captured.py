"""Programs that know of no proxy do their work inside, under the same rules and on record."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy
from tests.support.sites import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


def allowing(site: Site) -> tuple[str, ...]:
    rule = f"tcp://site.example:{site.port}"
    named = ("--resolve", "site.example=127.0.0.1", "--allow-private", "127.0.0.0/8")
    return ("--ask", "never", "--allow", rule, *named)


def test_by_name_with_nothing_set(person: Person, base: Path, site: Site) -> None:
    """curl and Python, in an environment without a variable."""
    url = f"http://site.example:{site.port}"
    netproxy = Netproxy(person, base)
    script = f"""
curl -sS -m 20 {url}/curl
{sys.executable} -I -c 'import urllib.request as u; print(u.urlopen("{url}/urllib").read())'
getent hosts site.example
"""
    command = ["env", "-i", f"PATH={os.defpath}", "sh", "-e", "-c", script]
    done = netproxy.run(*allowing(site), command=command)

    assert done.status == 0, done.err
    assert "hello" in done.out
    assert "198.18.0." in done.out, "an address that is only of this run"
    assert site.visits == ["/curl", "/urllib"]
    allowed = [
        (each["server.address"], each["server.port"], each["network.transport.protocol"])
        for each in netproxy.decisions()
    ]
    assert allowed == [("site.example", site.port, "tcp")] * 2
    (started,) = netproxy.events("netproxy.run.started")
    assert started["sandbox.capture"] == "on"


def test_with_capture_alone_no_proxy_is_named(me: Person, base: Path, site: Site) -> None:
    netproxy = Netproxy(me, base)
    script = f"curl -sS -m 20 http://site.example:{site.port}/; env"
    done = netproxy.run(*allowing(site), "--capture", "only", command=["sh", "-c", script])

    assert done.status == 0, done.err
    assert "hello" in done.out
    assert "NETPROXY=1" in done.out
    named = [line for line in done.out.splitlines() if "proxy=" in line.lower().split("=")[0] + "="]
    assert [line for line in named if not line.startswith("NETPROXY")] == []


def test_with_capture_off_it_finds_no_network(me: Person, base: Path, site: Site) -> None:
    netproxy = Netproxy(me, base)
    command = ["env", "-i", "curl", "-sS", "-m", "20", f"http://site.example:{site.port}/"]
    done = netproxy.run(*allowing(site), "--capture", "off", command=command)

    assert done.status == 6, "curl: could not resolve"
    assert site.visits == []
    (started,) = netproxy.events("netproxy.run.started")
    assert started["sandbox.capture"] == "off"
