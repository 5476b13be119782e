"""Debian's Chromium, driven by Playwright. One start costs a second: share it per module."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.web_inbox import InboxServer

CHROMIUM = Path("/usr/bin/chromium")
# Playwright's own five seconds are too few for a busy machine.
_PATIENCE_MS = 20_000
# What a test brings about on purpose: a refusal, a lost connection.
_EXPECTED = re.compile(r"status of 4\d\d|ERR_INTERNET_DISCONNECTED|ERR_INCOMPLETE_CHUNKED")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a home of its own; skips where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE_MS)
    # Its own sandbox needs what root doesn't get.
    as_root = ["--no-sandbox"] if os.getuid() == 0 else []
    with TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=as_root, env={**os.environ, "HOME": home}
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def signed_in(
    browser: Browser, inbox: InboxServer, name: str, *, complaints: bool = True, **look: Any
) -> Iterator[Page]:
    """A reviewer with a browser of their own, on the page of what waits.

    Fails on whatever the browser complains about: a script's error, a blocked load, a policy that
    was violated. Not with `complaints=False`: some attacks are what the browser complains about.
    """
    said: list[str] = []
    context = browser.new_context(**look)
    context.set_default_timeout(_PATIENCE_MS)
    context.on("console", lambda line: said.append(line.text))
    context.on("weberror", lambda error: said.append(str(error.error)))
    try:
        cookie, value = inbox.cookie(name)
        context.add_cookies(
            [
                {
                    "name": cookie,
                    "value": value,
                    "url": inbox.url,
                    "sameSite": "Strict",
                    "httpOnly": True,
                }
            ]
        )
        page = context.new_page()
        page.goto(inbox.url + "/")
        yield page
    finally:
        context.close()
    assert not complaints or [line for line in said if not _EXPECTED.search(line)] == []
