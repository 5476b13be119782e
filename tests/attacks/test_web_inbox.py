"""Pages of others, hostile names and old forms against the web inbox, in a real browser."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.browsers import chromium, signed_in
from tests.support.web_inbox import allowed, asked, served_inbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.support.web_inbox import InboxServer

pytestmark = pytest.mark.xdist_group("browser")

# What a command may name its host, its arguments and its session, hoping that somebody looks.
HOSTILE = (
    '"><script>window.ran = 1</script><img src=x onerror="window.ran = 1">'
    "<style>*{display:none}</style></bdi></article>{{ 7*7 }}{% raw %}\u202e\x1b[2J\x00"
    '<form action="https://evil.example"><button>Allow'
)


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


@contextmanager
def others_page(html: str) -> Iterator[str]:
    """A page on another port of this host: another origin, and the nearest that one can be."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}/"
        finally:
            serving.shutdown()
            thread.join()


def test_hostile_names_run_nothing_and_hide_nothing(browser: Browser, inbox: InboxServer) -> None:
    """On every page they show as text, and the answers stay in reach."""
    question = asked(1, "x" * 250, command=HOSTILE + "A" * 5000, unicode_host=HOSTILE)
    group = [asked(n, f"{n}.{HOSTILE}", group=HOSTILE) for n in (2, 3)]
    inbox.put(question, *group)
    answer = allowed(comment=HOSTILE, reviewer=HOSTILE)
    inbox.do(lambda: inbox.inbox.hold(inbox.grant_of("a-2", answer)))
    inbox.put(asked(4, "over.example"))
    with signed_in(browser, inbox, HOSTILE) as page:
        for path in ("/", "/approvals/a-1", "/grants", "/decisions", "/decisions?host=" + HOSTILE):
            if path == "/decisions":
                inbox.end("a-4", answer)
            page.goto(inbox.url + path)
            assert page.evaluate("window.ran") is None, path
            assert (
                page.evaluate(
                    "document.querySelectorAll('main script, main style, main img[src=x]').length"
                )
                == 0
            )
            assert page.locator("form:not([action^='/'])").count() == 0, path
            text = page.locator("body").inner_text()
            assert "\u202e" not in text
            assert "\x1b" not in text
            if path in {"/", "/approvals/a-1", "/grants"}:
                assert "<script>window.ran = 1</script>" in text, path
        page.goto(inbox.url + "/approvals/a-1")
        deny = page.get_by_role("button", name="Deny and stop")
        deny.scroll_into_view_if_needed()
        assert page.locator(".host").first.bounding_box() is not None
        page.locator("details summary").click()
        deny.click()
        expect(page.get_by_text("denied by").first).to_be_visible()
    assert [one for one, _ in inbox.inbox.decided] == ["a-1"]


def test_no_other_page_answers_revokes_or_signs_out(browser: Browser, inbox: InboxServer) -> None:
    """The reviewer's own browser posts its form, and is refused; nor does its script read.

    Not even with the right token, which somebody may have seen.
    """
    inbox.put(asked(1))
    inbox.do(lambda: inbox.inbox.hold(inbox.grant_of("a-1", allowed())))
    with signed_in(browser, inbox, "anna", complaints=False) as page:
        token = page.locator("[name=csrf]").first.input_value()
        item = page.locator("[name=item]").first.input_value()
        csrf = f'<input name=csrf value="{token}">'
        form = f"""<form method=post action="{inbox.url}/answers">{csrf}<input name=item
          value="{item}"><button name=answer value="allow.once.continue">Win one</button></form>
          <form method=post action="{inbox.url}/grants/g-1/revoke">{csrf}<button>Win two</button>
          </form><form method=post action="{inbox.url}/sign-out">{csrf}<button>Win three</button>
          </form>"""
        with others_page(form) as trap:
            for name in ("Win one", "Win two", "Win three"):
                page.goto(trap)
                with page.expect_navigation() as arrived:
                    page.get_by_role("button", name=name).click()
                assert arrived.value is not None
                assert arrived.value.status == 403
            page.goto(trap)
            read = page.evaluate(
                "url => fetch(url, {credentials: 'include'}).then((r) => r.text(), () => 'no')",
                inbox.url + "/pending",
            )
            assert read == "no"
        page.goto(inbox.url + "/")
        expect(page.get_by_text("pypi.org").first).to_be_visible()  # still signed in
    assert inbox.inbox.decided == []
    assert inbox.inbox.revoked == []
    names = [event.name for event in inbox.sink.events]
    assert names.count("netproxy.approval.review_rejected") == 3


def test_no_page_frames_the_inbox(browser: Browser, inbox: InboxServer) -> None:
    """Not to be clicked through a page that lies on top of it."""
    inbox.put(asked(1))
    with signed_in(browser, inbox, "anna", complaints=False) as page:
        paths = ("/", "/approvals/a-1", "/login?code=x")
        frames = "".join(f'<iframe src="{inbox.url}{path}"></iframe>' for path in paths)
        with others_page(frames) as trap:
            page.goto(trap, wait_until="load")
            for frame in page.frames[1:]:
                assert "pypi.org" not in frame.content()
                assert frame.locator("button").count() == 0


def test_a_link_from_anywhere_decides_nothing(browser: Browser, inbox: InboxServer) -> None:
    """It opens the page for who is signed in, and that is all."""
    inbox.put(asked(1))
    link = f'<a href="{inbox.url}/approvals/a-1?answer=allow.session.continue">look</a>'
    with signed_in(browser, inbox, "anna") as page, others_page(link) as trap:
        page.goto(trap.replace("127.0.0.1", "localhost"))
        page.get_by_role("link", name="look").click()
        expect(page.get_by_role("button", name="Allow once")).to_be_visible()
        assert page.url == inbox.url + "/approvals/a-1"
        for path in ("/answers", "/grants/g-1/revoke", "/sign-out"):
            assert page.request.get(inbox.url + path).status == 405
    assert inbox.inbox.decided == []


def test_who_is_not_signed_in_is_not_led_in_circles(browser: Browser, inbox: InboxServer) -> None:
    context = browser.new_context()
    with others_page(f'<a href="{inbox.url}/grants">look</a>') as trap:
        page = context.new_page()
        page.goto(trap.replace("127.0.0.1", "localhost"))
        page.get_by_role("link", name="look").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    asked_for = [line for line in inbox.log if line.startswith("GET /grants 401")]
    context.close()
    assert len(asked_for) == 2
