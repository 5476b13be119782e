"""What `[approvals]` comes to: which value holds, and that nothing unclear starts a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from approvals import Config, Scope
from netproxy.app.approval_settings import (
    ApprovalSettings,
    Surface,
    chosen_approvals,
    parse_inbox,
)
from netproxy.app.listening import ListenAddress
from netproxy.errors import InvalidDestination
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.requirements import load_requirements

HOME, STATE = Path("/home/anna"), Path("/home/anna/.local/state/netproxy")


def read(
    text: str, *, managed: str | None = None, inbox: str | None = None
) -> tuple[ApprovalSettings, list[str]]:
    surface = Surface(environ={}, home=HOME, state=STATE, problems=[])
    document = load(f"[approvals]\n{text}", "config.toml", layer=Layer.USER)
    bounds = None if managed is None else load_requirements(f"[approvals]\n{managed}", "r.toml")
    given = None if inbox is None else parse_inbox(inbox)
    return chosen_approvals(document, bounds, given, surface), surface.problems


def problem(text: str) -> str:
    _, (found,) = read(text)
    return found


def test_without_a_file_the_defaults_hold_and_nothing_listens() -> None:
    surface = Surface(environ={}, home=HOME, state=STATE, problems=[])
    found = chosen_approvals(None, None, None, surface)
    assert found.config() == Config(widest_scope=Scope.ALWAYS)
    assert found.store == STATE / "approvals.db"
    assert (found.inbox, found.webhooks, found.commands, found.rules) == (None, (), (), ())


def test_times_and_limits() -> None:
    found, problems = read(
        "hold_seconds = 30\nhold_seconds_http = 20\nhold_seconds_socks = 10\n"
        "answerable_seconds = 300\nlease_seconds = 5\nmax_pending = 3\nmax_new = 9\n"
    )
    assert not problems
    assert found.config() == Config(
        hold_seconds=30,
        answerable_seconds=300,
        lease_seconds=5,
        max_pending=3,
        max_new=9,
        widest_scope=Scope.ALWAYS,
    )
    assert (found.hold_seconds_http, found.hold_seconds_socks) == (20, 10)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("hold_seconds = 1000", "config.toml:2:1 approvals.hold_seconds", id="all"),
        pytest.param(
            "hold_seconds_http = 1000", "config.toml:2:1 approvals.hold_seconds_http", id="http"
        ),
        pytest.param(
            "answerable_seconds = 60", "config.toml:2:1 approvals.answerable_seconds", id="life"
        ),
    ],
)
def test_no_connection_is_held_longer_than_its_question_stands(text: str, place: str) -> None:
    assert problem(text).startswith(f"{place}: hold_seconds")


def test_the_managed_file_narrows_every_yes() -> None:
    found, _ = read("hold_seconds = 30", managed="max_scope = 'once'\nmax_seconds = 60")
    config = found.config()
    assert (config.widest_scope, config.grant_seconds, config.hold_seconds) == ("once", 60, 30)


@pytest.mark.parametrize(
    ("given", "store"),
    [
        pytest.param("memory", None, id="memory"),
        pytest.param("/srv/a.db", Path("/srv/a.db"), id="absolute"),
        pytest.param("~/kept/a.db", HOME / "kept" / "a.db", id="below home"),
    ],
)
def test_where_approvals_are_kept(given: str, store: Path | None) -> None:
    found, problems = read(f"store = '{given}'")
    assert (found.store, problems) == (store, [])


def test_a_store_that_could_be_anywhere_is_refused() -> None:
    what = "'a.db' is neither 'memory', absolute, nor below ~/"
    assert problem("store = 'a.db'") == f"config.toml:2:1 approvals.store: {what}"


@pytest.mark.parametrize("given", ["~/a.db", "/home/a.db", "/a.db"])
def test_a_store_in_the_home_folder_would_hide_that(given: str) -> None:
    what = "needs a folder of its own: commands can't see it"
    assert problem(f"store = '{given}'") == f"config.toml:2:1 approvals.store: {what}"


def test_the_flag_beats_the_file() -> None:
    found, _ = read("inbox = '127.0.0.1:1'")
    assert found.inbox == ListenAddress(host="127.0.0.1", port=1)
    found, _ = read("inbox = '127.0.0.1:1'", inbox="[::1]:2")
    assert found.inbox == ListenAddress(host="::1", port=2)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "192.0.2.1:1", "localhost:1", "dev@127.0.0.1:1"])
def test_the_inbox_is_for_this_host(text: str) -> None:
    with pytest.raises(InvalidDestination, match="is not"):
        parse_inbox(text)
    assert problem(f"inbox = '{text}'").startswith("config.toml:2:1 approvals.inbox: ")


@pytest.mark.parametrize(
    "url", ["https://reviews.test", "https://reviews.test:8443", "https://reviews.test/"]
)
def test_where_a_reverse_proxy_offers_it(url: str) -> None:
    found, problems = read(f"public_url = '{url}'")
    assert (found.public_url, problems) == (url.removesuffix("/"), [])


@pytest.mark.parametrize(
    "url",
    [
        "http://reviews.test", "https://", "https://reviews.test/inbox", "https://a@reviews.test",
        "https://reviews.test?x", "https://reviews.test:0", "https://re views.test",
        "https://reviews.test:x", "https://[::1",
    ],
)  # fmt: skip
def test_a_public_url_is_an_origin(url: str) -> None:
    assert problem(f"public_url = '{url}'").endswith("is not https://HOST or https://HOST:PORT")
