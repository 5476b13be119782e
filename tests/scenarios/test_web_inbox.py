"""Reviewers at the web inbox, in a real browser: with a script and without, by mouse and keys."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from approvals.model import Scope, Status, Verdict
from tests.support.browsers import chromium, signed_in
from tests.support.web_inbox import allowed, asked, served_inbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.support.web_inbox import InboxServer

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[InboxServer]:
    with served_inbox() as serving:
        yield serving


@pytest.fixture
def inbox(server: InboxServer) -> InboxServer:
    server.clear()
    return server


def until(holds: object, seconds: float = 20.0) -> None:
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def test_two_reviewers_race_and_one_wins(browser: Browser, inbox: InboxServer) -> None:
    """The other's row says who answered and can't be pressed; a form sent anyway gets a 409."""
    inbox.put(asked(1), waiting=3)
    with signed_in(browser, inbox, "anna") as anna, signed_in(browser, inbox, "ben") as ben:
        story = ben.context.new_page()
        story.goto(inbox.url + "/approvals/a-1")
        anna.get_by_role("button", name="Deny and stop").click()
        expect(anna.get_by_text("denied by anna (web)")).to_be_visible()
        for page in (ben, story):
            over = page.locator(".over")
            expect(over).to_have_text("No longer open: denied by anna (web)")
            for each in page.locator("button[name=answer]").all():
                expect(each).to_be_disabled()
        forced = ben.locator("button[name=answer]", has_text="Allow once")
        with ben.expect_navigation() as arrived:
            forced.evaluate("b => { b.disabled = false; b.click() }")
        assert arrived.value is not None
        assert arrived.value.status == 409
        expect(ben.get_by_text("is over already: denied by anna (web)")).to_be_visible()
    assert [(one, each.reviewer, each.verdict) for one, each in inbox.inbox.decided] == [
        ("a-1", "anna", Verdict.DENY)
    ]


def test_a_question_appears_by_itself_and_says_what_each_answer_does(
    browser: Browser, inbox: InboxServer
) -> None:
    with signed_in(browser, inbox, "anna") as page:
        expect(page.get_by_text("Nothing waits.")).to_be_visible()
        inbox.put(asked(1), waiting=1)
        expect(page.locator(".host", has_text="pypi.org")).to_be_visible()
        expect(page).to_have_title("(1) Inbox · netproxy")
        expect(page.get_by_role("status")).to_contain_text("New question: pypi.org")
        inbox.put(asked(1), waiting=4)
        expect(page.locator("[data-part=waiting]")).to_have_text("4 requests wait")
        expect(page.get_by_role("button", name="Allow once")).to_contain_text(
            "Lets the 4 requests that wait through."
        )
        expect(page.locator(".left")).to_have_text(re.compile(r"1[45]:\d\d left to answer"))
        # What was not there a moment ago can't be hit by accident.
        allow = page.get_by_role("button", name="Allow once")
        expect(allow).to_be_enabled()
        allow.click()
        expect(page.get_by_text("allowed once by anna (web)")).to_be_visible()
    (_, answer) = inbox.inbox.decided[0]
    assert (answer.seen_join_no, answer.seen_version, answer.channel) == (4, 1, "web")


def test_hosts_of_one_owner_are_answered_together_or_one_by_one(
    browser: Browser, inbox: InboxServer
) -> None:
    hosts = [f"h{number}.pythonhosted.org" for number in range(14)]
    inbox.put(*(asked(n, host, group="pythonhosted.org") for n, host in enumerate(hosts)))
    with signed_in(browser, inbox, "anna") as page:
        expect(page.get_by_role("heading", name="14 hosts of pythonhosted.org")).to_be_visible()
        row = page.locator("[data-row=a-3]")
        row.locator("summary").click()
        inbox.put(asked(14, "h14.pythonhosted.org", group="pythonhosted.org"))
        expect(page.get_by_role("heading", name="15 hosts of pythonhosted.org")).to_be_visible()
        deny = row.get_by_role("button", name="Deny, let it continue")
        expect(deny).to_be_visible()  # what was open stays open
        deny.click()
        expect(page.get_by_role("heading", name="14 hosts of pythonhosted.org")).to_be_visible()
        page.locator(".together").get_by_role("button", name="Allow for this session").click()
        expect(page.get_by_text("Nothing waits.")).to_be_visible()
    answers = {one: (a.verdict, a.scope) for one, a in inbox.inbox.decided}
    assert answers.pop("a-3") == (Verdict.DENY, Scope.ONCE)
    assert set(answers.values()) == {(Verdict.ALLOW, Scope.SESSION)}
    assert len(answers) == 14


def test_more_questions_than_a_page_shows_are_counted_and_all_told_of(
    browser: Browser, inbox: InboxServer
) -> None:
    hosts = [f"h{number}.example.org" for number in range(130)]
    questions = [asked(n, host, group="example.org") for n, host in enumerate(hosts)]
    inbox.put(questions[0])
    with signed_in(browser, inbox, "anna") as page:
        expect(page).to_have_title("(1) Inbox · netproxy")
        inbox.put(*questions[1:])
        expect(page.get_by_role("heading", name="100 hosts of example.org")).to_be_visible()
        expect(page.get_by_text("30 more wait behind these.")).to_be_visible()
        expect(page).to_have_title("(130) Inbox · netproxy")

        def answer_all() -> None:
            for number in range(100):
                inbox.inbox.resolve(f"a-{number}", Status.GRANTED, allowed())

        inbox.do(answer_all)
        expect(page.get_by_role("heading", name="30 hosts of example.org")).to_be_visible()
        expect(page.locator(".over", has_text="by anna (web)")).to_have_count(100)
        expect(page.get_by_text("wait behind these.")).to_be_hidden()
        expect(page).to_have_title("(30) Inbox · netproxy")


def test_a_lost_stream_shows_and_nothing_can_be_allowed(
    browser: Browser, inbox: InboxServer
) -> None:
    inbox.put(asked(1))
    with signed_in(browser, inbox, "anna") as page:
        allow = page.get_by_role("button", name="Allow once")
        expect(allow).to_be_enabled()
        page.context.set_offline(True)
        inbox.hang_up()
        expect(page.get_by_text("Not live")).to_be_visible()
        expect(allow).to_be_disabled()
        expect(page.get_by_role("button", name="Deny and stop")).to_be_enabled()
        # What ends meanwhile is known as soon as there is a connection.
        inbox.do(lambda: inbox.inbox.resolve("a-1", Status.EXPIRED))
        page.context.set_offline(False)
        expect(page.get_by_text("No longer open: nobody answered in time")).to_be_visible()
        expect(page.get_by_text("Not live")).to_be_hidden()


def test_seven_tabs_load_and_share_one_stream(browser: Browser, inbox: InboxServer) -> None:
    """A browser has six connections for a host: seven streams would leave none for pages."""
    with signed_in(browser, inbox, "anna") as first:
        tabs = [first, *(first.context.new_page() for _ in range(6))]
        for tab in tabs[1:]:
            tab.goto(inbox.url + "/")
        until(lambda: inbox.presence.anybody)
        inbox.put(asked(1))
        for tab in tabs:
            expect(tab.locator(".host", has_text="pypi.org")).to_be_attached()
        assert inbox.presence._attached == 1
        first.close()  # it held the stream; another takes it up
        inbox.put(asked(2, "example.org"))
        expect(tabs[6].locator(".host", has_text="example.org")).to_be_attached()
        tabs[0] = tabs[1]


def test_without_javascript_the_whole_job_is_done(browser: Browser, inbox: InboxServer) -> None:
    inbox.put(asked(1), waiting=2)
    with signed_in(browser, inbox, "nobody", java_script_enabled=False) as page:
        page.get_by_role("button", name="Sign out").click()
        page.goto(inbox.login("anna"))
        page.get_by_role("button", name="Sign in on this browser").click()
        page.get_by_role("link", name="More answers").click()
        expect(page.get_by_text("never asked about before")).to_be_visible()
        page.get_by_label("Comment").fill("for the release")
        page.get_by_text("Limits of a yes").click()
        page.get_by_label("MB").fill("5")
        page.get_by_role("button", name="Allow for 1 hour").click()
        expect(page.get_by_text("by anna (web)").first).to_be_visible()
        assert page.url == inbox.url + "/approvals/a-1"
        page.get_by_role("link", name="Decisions").click()
        page.get_by_label("host contains").fill("pypi")
        page.get_by_label("outcome").select_option("allowed")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_text("for the release")).to_be_visible()
        (_, answer) = inbox.inbox.decided[0]
        assert (answer.scope, answer.seconds, answer.comment) == (
            Scope.TIME,
            3600,
            "for the release",
        )
        assert answer.budget is not None
        assert (answer.budget.connections, answer.budget.bytes) == (None, 5_000_000)
        inbox.do(lambda: inbox.inbox.hold(inbox.grant_of("a-1", answer)))
        page.get_by_role("link", name="Grants").click()
        page.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("Nothing is remembered.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.goto(inbox.url + "/grants")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert inbox.inbox.revoked == [("g-1", "anna", "web", None)]


def test_keys_alone_decide_and_deny_comes_first(browser: Browser, inbox: InboxServer) -> None:
    inbox.put(asked(1))
    with signed_in(browser, inbox, "anna") as page:
        assert page.evaluate("document.activeElement.tagName") == "BODY"
        page.keyboard.press("Enter")  # answers nothing
        seen = []
        for _ in range(20):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.value ?? ''"))
            if seen[-1].startswith("deny"):
                break
        assert not any(value.startswith("allow") for value in seen)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_text("denied by anna (web)")).to_be_visible()
    assert inbox.inbox.decided[0][1].verdict is Verdict.DENY


def test_a_page_that_is_out_of_date_cannot_approve(browser: Browser, inbox: InboxServer) -> None:
    """The question changed since the page was made: the answer is refused with what is so now."""
    inbox.put(asked(1))
    with signed_in(browser, inbox, "anna", java_script_enabled=False) as page:
        inbox.bump("a-1", waiting=5)
        with page.expect_navigation() as arrived:
            page.get_by_role("button", name="Allow for this session").click()
        assert arrived.value is not None
        assert arrived.value.status == 409
        expect(page.get_by_text("5 requests wait. Look again.")).to_be_visible()
        page.goto(inbox.url + "/")
        inbox.clock.ahead = 1801.0  # nor can one of a session that is over
        with page.expect_navigation() as arrived:
            page.get_by_role("button", name="Allow once").click()
        assert arrived.value is not None
        assert arrived.value.status == 401
        expect(page.get_by_text("netproxy approvals login")).to_be_visible()
    assert inbox.inbox.decided == []


_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# Contrast of each text against what is painted behind it, WCAG 2.2 section 1.4.3.
_CONTRASTS = """() => {
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map((v) => {
    const s = v / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = (e) => { const c = getComputedStyle(e).backgroundColor;
    return /^rgba.*, 0\\)$/.test(c) && e.parentElement ? back(e.parentElement) : c; };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("button:disabled") || !e.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${e.tagName} ${e.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return found;
}"""


def test_everything_is_readable_narrow_and_large(browser: Browser, inbox: InboxServer) -> None:
    """Contrast of 4.5, and at 320 px, in letters of twice the size too, nothing is cut off."""
    inbox.put(asked(1), asked(2, "a" * 60 + ".example.org", command="x" * 3000), waiting=3)
    inbox.put(asked(3, "xn--pypl-53dc.org", unicode_host="p\u0430yp\u0430l.org"))
    inbox.do(lambda: inbox.inbox.hold(inbox.grant_of("a-2", allowed())))
    size = {"width": 320, "height": 700}
    with signed_in(browser, inbox, "anna", viewport=size) as page:
        for path in ("/", "/approvals/a-3", "/grants", "/decisions", "/policy", "/health"):
            page.goto(inbox.url + path)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(_CONTRASTS) == [], (path, scheme)
            assert not page.evaluate(_TOO_WIDE), path
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert not page.evaluate(_TOO_WIDE), path
