"""The whole way: a real client waits at a real gateway, and a person answers in a real browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.support.at_terminal import Terminal
from tests.support.browsers import chromium
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def runtime(me: Person, base: Path) -> dict[str, str]:
    folder = me.owns(base / "runtime")
    folder.chmod(0o700)
    return {"XDG_RUNTIME_DIR": str(folder)}


def curl(service: Service, url: str) -> subprocess.Popen[str]:
    words = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "-x", service.address, url]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}
    )


def ends_with(client: subprocess.Popen[str]) -> str:
    return client.communicate(timeout=60)[0]


def test_a_client_waits_until_somebody_answers_on_the_page(
    netproxy: Netproxy, runtime: dict[str, str]
) -> None:
    """Allowed for the session, revoked, denied; and all of it is on record."""
    options = (*named("site.test"), "--inbox", "127.0.0.1:0")
    with Site() as site, Service(netproxy, *options, environment=runtime) as service:
        url = f"http://site.test:{site.port}/page"
        assert "/login?code=" not in service.err, "a link is a secret, and this is no terminal"
        base_url = re.search(r"inbox on (\S+):", service.err)
        assert base_url is not None
        with chromium() as browser:
            page = browser.new_page()
            link = netproxy("approvals", "login", "--json", environment=runtime)
            page.goto(json.loads(link.out)["url"])
            page.get_by_role("button", name="Sign in on this browser").click()
            expect(page.get_by_text("Nothing waits.")).to_be_visible()
            client = curl(service, url)
            page.get_by_role("button", name="Allow for this session").click()
            assert ends_with(client) == "200"
            assert ends_with(curl(service, url)) == "200"
            page.get_by_role("link", name="Grants").click()
            page.get_by_role("button", name="Revoke").click()
            expect(page.get_by_text("Nothing is remembered.")).to_be_visible()
            page.get_by_role("link", name="Inbox").click()
            client = curl(service, url)
            page.get_by_role("link", name="More answers").click()
            page.get_by_label("Comment").fill("not today")
            page.get_by_role("button", name="Deny").first.click()
            assert ends_with(client) == "403"
            expect(page.get_by_text("not today").first).to_be_visible()
            expect(page.get_by_text("allowed for this session").first).to_be_visible()
            for name in ("Policy", "Health", "Decisions"):
                page.get_by_role("link", name=name).click()
                expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert service.stop() == 0, service.err
        assert len(site.visits) == 2
    names = [event["event.name"].removeprefix("netproxy.") for event in netproxy.events()]
    assert names.count("reviewer.signed_in") == 1
    (granted, denied) = netproxy.events("netproxy.approval.reviewed")
    assert {granted["netproxy.channel"], denied["netproxy.channel"]} == {"web"}
    assert names.index("grant.created") < names.index("grant.ended")


def test_a_command_at_a_terminal_shows_a_link_and_is_answered_on_the_page(
    netproxy: Netproxy, runtime: dict[str, str]
) -> None:
    """What the terminal asks at the same time is withdrawn there, and says who answered."""
    with Site() as site:
        words = ("run", "--audit-dir", str(netproxy.audit), *named("site.test"), "--inbox")
        command = ("curl", "-sS", "-w", "got %{http_code}", f"http://site.test:{site.port}/page")
        with Terminal(
            netproxy.argv(*words, "127.0.0.1:0", "--", *command),
            cwd=netproxy.workspace,
            environment=netproxy.environment(runtime),
        ) as terminal:
            seen = terminal.see(r"answer questions at (http://127.0.0.1:\d+)/login\?code=(\S+)")
            reviewer = Reviewer(seen[1].decode())
            reviewer.post("/login", {"code": seen[2].decode()})
            terminal.see("may this command go there")
            page = reviewer.get("/")
            form = dict(re.findall(r'name="(csrf|item)" value="([^"]+)"', page))
            with suppress(OSError):  # the command ends with this, and the gateway with the command
                reviewer.post("/answers", {**form, "answer": "allow.once.continue"})
            terminal.see(r"allowed once by \S+ \(web\)")
            assert terminal.wait() == 0
            assert b"got 200" in terminal.screen


class Reviewer:
    """A browser without a screen: keeps its cookie, and says whose form it posts."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        cookies = urllib.request.HTTPCookieProcessor()
        self._opener = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}))

    def get(self, path: str) -> str:
        with self._opener.open(self.base_url + path, timeout=60) as answer:
            return str(answer.read().decode())

    def post(self, path: str, form: dict[str, str]) -> None:
        request = urllib.request.Request(
            self.base_url + path,
            data=urlencode(form).encode(),
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        with self._opener.open(request, timeout=60) as answer:
            assert answer.status == 200
