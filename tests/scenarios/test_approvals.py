"""One gateway, a client that waits, and a person at another terminal who answers."""

from __future__ import annotations

import json
import select
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.at_terminal import Terminal
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


@contextmanager
def watching(netproxy: Netproxy) -> Iterator[Any]:
    """Somebody is there; gives the next thing that they are told."""
    with subprocess.Popen(
        netproxy.argv("approvals", "watch", "--json"),
        env=netproxy.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as watch:
        output = watch.stdout
        assert output is not None

        def told() -> Any:
            assert select.select([output], [], [], 30)[0], "nothing is told"
            return json.loads(output.readline())

        try:
            yield told
        finally:
            watch.terminate()


def curl(service: Service, url: str) -> subprocess.Popen[str]:
    command = ["curl", "-s", "-m", "20", "-w", "%{http_code}", "-x", f"http://{service.address}"]
    return subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True)


def body(client: subprocess.Popen[str]) -> str:
    out, _ = client.communicate(timeout=60)
    return out


def test_from_a_question_to_a_grant_and_back(netproxy: Netproxy) -> None:
    with Site() as site:
        options = ("--allow-private", "127.0.0.1/32", *named("origin.test"))
        url = f"http://origin.test:{site.port}/"
        with Service(netproxy, *options) as service, watching(netproxy) as told:
            assert netproxy("approvals", "list").out == "no question waits for an answer\n"
            first = curl(service, url)
            asked = told()
            where = f"http://origin.test:{site.port}"
            assert (asked["kind"], asked["request"]["destination"]) == ("asked", where)
            done = netproxy("approvals", "approve", asked["approval_id"][-8:], "--session")
            assert done.out == f"allowed: {where} until the session ends\n", done.err
            assert body(first) == "hello\n200"
            assert told()["kind"] == "resolved"
            assert body(curl(service, url)) == "hello\n200"
            late = netproxy("approvals", "deny", asked["approval_id"])
            assert (late.status, "allow session" in late.err) == (65, True), late.err

            (granted,) = netproxy("approvals", "grants", "--json").out.splitlines()
            grant = json.loads(granted)
            assert (grant["destination"], grant["channel"]) == (where, "cli")
            assert netproxy("approvals", "revoke", grant["grant_id"]).status == 0

            second = curl(service, url)
            again = told()
            assert again["approval_id"] != asked["approval_id"]
            no = netproxy("approvals", "deny", again["approval_id"], "--comment", "not now")
            assert no.out == f"denied: {where} once; the command goes on\n"
            assert body(second).endswith("403")
            shown = netproxy("approvals", "show", again["approval_id"]).out
            assert "deny once: not now" in shown
            assert service.stop() == 0, service.err
    reviewed = netproxy.events("netproxy.approval.reviewed")
    assert [each["netproxy.channel"] for each in reviewed] == ["cli", "cli"]
    (ended,) = netproxy.events("netproxy.grant.ended")
    assert ended["netproxy.grant.end_reason"] == "revoked"


def test_where_nobody_can_see_it_nobody_is_kept_waiting(netproxy: Netproxy) -> None:
    with Service(netproxy) as service:
        refused = json.loads(body(curl(service, "http://example.test/")).removesuffix("403"))
    assert refused["reason"] == "approval_unavailable"
    assert "netproxy approvals watch" in refused["message"]


def test_several_runs_are_seen_together(netproxy: Netproxy) -> None:
    with Service(netproxy), Service(netproxy):
        sessions = netproxy("approvals", "sessions", "--json").out.splitlines()
        assert len({json.loads(each)["gateway"] for each in sessions}) == 2
    assert netproxy("approvals", "sessions").status == 69


def test_the_terminal_that_asks_is_told_who_was_faster(netproxy: Netproxy) -> None:
    """The run's own terminal and another one: the first answer wins, the other is told."""
    with Site() as site:
        url = f"http://origin.test:{site.port}/"
        options = ("--allow-private", "127.0.0.1/32", *named("origin.test"))
        command = ["run", "--no-sandbox", "--audit-dir", str(netproxy.audit), *options, "--"]
        with Terminal(
            netproxy.argv(*command, "curl", "-s", "-m", "20", url),
            cwd=netproxy.workspace,
            environment=netproxy.environment(),
        ) as terminal:
            terminal.see("host +origin.test")
            (waits,) = netproxy("approvals", "list", "--json").out.splitlines()
            asked = json.loads(waits)
            assert asked["request"]["command"] == f"curl -s -m 20 {url}"
            assert netproxy("approvals", "approve", asked["approval_id"], "--run").status == 0
            terminal.see(r"allowed for (this|the) run by \S+ .cli.")
            terminal.see("hello")
            assert terminal.wait() == 0
    assert netproxy("approvals", "list").status == 69
