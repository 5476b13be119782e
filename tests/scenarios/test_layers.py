"""Real runs under a managed file, a user's, a project's and the command line's rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.administrators import MANAGED, ONLY_ROOT, managed
from tests.support.at_terminal import Terminal
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person
    from tests.support.runs import Netproxy

pytestmark = ONLY_ROOT

# The reviewer is deaf for half a second after a question appears; a person is slower.
READING_SECONDS = 1.0


def config(netproxy: Netproxy, text: str) -> Path:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def project(netproxy: Netproxy, text: str) -> Path:
    path = netproxy.workspace / "netproxy.toml"
    path.write_text(text)
    return path


def test_nobody_gets_round_the_managed_denials(ordinary: Person, base: Path) -> None:
    with Site() as site:
        netproxy = managed(ordinary, base, "[network]\ndeny = ['site.test']\n")
        done = netproxy.run(
            *named("site.test"), "--allow", f"site.test:{site.port}", "--allow", "*:*",
            command=["curl", "-sS", f"http://site.test:{site.port}/"],
        )  # fmt: skip
        assert site.visits == []
    assert done.status == 77
    assert "denied by rule site.test (requirements.toml:2)" in done.err


def test_outside_the_ceiling_nobody_is_even_asked(ordinary: Person, base: Path) -> None:
    netproxy = managed(ordinary, base, "[network]\nallow = ['**.example.org']\n")
    done = netproxy.run(command=["curl", "-sS", "https://example.com/"])
    assert done.status == 77
    assert "example.com:443 is outside what the managed settings let anybody allow" in done.err
    assert netproxy.events("netproxy.approval.requested") == []


@pytest.mark.parametrize(
    ("bounds", "options", "problem"),
    [
        pytest.param(
            "[network]\nallow = ['**.example.org']", ["--allow", "example.com"],
            f"--allow #1: example.com is outside what {MANAGED}:2:1 network.allow "
            "lets anybody allow",
            id="allow",
        ),
        pytest.param(
            "[network]\nallow_private = ['10.0.0.0/8']", ["--allow-private", "127.0.0.0/8"],
            f"--allow-private #1: 127.0.0.0/8 is outside what {MANAGED}:2:1 network.allow_private "
            "lets anybody open",
            id="allow_private",
        ),
        pytest.param(
            "[network]\nallow_private = ['10.0.0.0/8']", ["--allow", "127.0.0.1:5432"],
            f"--allow #1: 127.0.0.1:5432 is outside what {MANAGED}:2:1 network.allow_private "
            "lets anybody open",
            id="allow_private by name",
        ),
        pytest.param(
            "[network]\non_denial = 'cancel'", ["--on-denial", "block"],
            f"--on-denial: 'block', but {MANAGED}:2:1 network.on_denial demands cancel",
            id="on_denial",
        ),
        pytest.param(
            "[network]\nmay_ask = false", ["--ask", "terminal"],
            f"--ask terminal: {MANAGED}:2:1 network.may_ask forbids to ask",
            id="may_ask",
        ),
        pytest.param(
            "[sandbox]\nrequired = true", ["--no-sandbox"],
            f"--no-sandbox: {MANAGED}:2:1 sandbox.required demands a sandbox",
            id="sandbox.required",
        ),
        pytest.param(
            "[audit]\nmode = 'strict'", ["--audit-mode", "best_effort"],
            f"--audit-mode best_effort: {MANAGED}:2:1 audit.mode demands strict",
            id="audit.mode",
        ),
        pytest.param(
            "[approvals]\nmax_scope = 'sesion'", [],
            f"{MANAGED}:2:1 approvals.max_scope: 'sesion' is not one of once, run, time, "
            "session, always, did you mean session?",
            id="a mistake",
        ),
    ],
)  # fmt: skip
def test_what_goes_beyond_a_bound_names_both_places(
    me: Person, base: Path, bounds: str, options: list[str], problem: str
) -> None:
    done = managed(me, base, f"{bounds}\n").run(*options, command=["echo", "ran"])
    assert (done.status, done.out, done.err) == (78, "", f"netproxy run: {problem}\n")


def test_every_layer_is_told_at_once_what_is_too_much(ordinary: Person, base: Path) -> None:
    netproxy = managed(
        ordinary, base, "[network]\nmode = 'limited'\non_denial = 'cancel'\nmay_ask = false\n"
    )
    user = config(
        netproxy,
        "[profiles.mine.network]\nmode = 'full'\ndefault = 'ask'\n"
        "[[profiles.mine.network.rules]]\n"
        "host = 'a.test'\nverdict = 'deny'\non_denial = 'block'\n",
    )
    done = netproxy.run("--on-denial", "block", command=["echo", "ran"])
    assert (done.status, done.out) == (78, "")
    assert (
        done.err
        == f"""\
netproxy run: {user}:2:1 profiles.mine.network.mode: 'full', \
but {MANAGED}:2:1 network.mode allows at most 'limited'
netproxy run: {user}:4:1 profiles.mine.network.rules[0]: a.test has on_denial 'block', \
but {MANAGED}:3:1 network.on_denial demands cancel
netproxy run: {user}:3:1 profiles.mine.network.default: 'ask', \
but {MANAGED}:4:1 network.may_ask forbids it
netproxy run: --on-denial: 'block', but {MANAGED}:3:1 network.on_denial demands cancel
"""
    )


def test_where_nobody_may_be_asked_what_no_rule_allows_is_refused(me: Person, base: Path) -> None:
    netproxy = managed(me, base, "[network]\nmay_ask = false\n")
    done = netproxy.run(command=["curl", "-sS", "https://example.com/"])
    assert done.status == 77
    assert "not_allowed" in done.err
    assert netproxy.events("netproxy.approval.requested") == []


def test_a_yes_reaches_no_further_than_managed(ordinary: Person, base: Path) -> None:
    """At a terminal: the key for the session is not offered, and means nothing."""
    netproxy = managed(ordinary, base, "[approvals]\nmax_scope = 'once'\n")
    with Site() as site, asking(netproxy, site, times=2) as terminal:
        for number in range(2):
            terminal.see("left to answer")
            time.sleep(READING_SECONDS)
            terminal.press("s")
            terminal.see("Press one of d D c C N o, ")
            assert len(site.visits) == number
            time.sleep(READING_SECONDS)
            terminal.press("o")
            terminal.see("hello")
        assert terminal.wait() == 0
        assert b"allow for the rest" not in terminal.screen


def test_a_yes_lives_no_longer_than_managed(me: Person, base: Path) -> None:
    netproxy = managed(me, base, "[approvals]\nmax_seconds = 1\n")
    with Site() as site, asking(netproxy, site, times=2, pause=1.5) as terminal:
        for _ in range(2):
            terminal.see("for 1 s at.most")
            terminal.see("left to answer")
            time.sleep(READING_SECONDS)
            terminal.press("s")
            terminal.see("hello")
        assert terminal.wait() == 0
    ended = [
        event["netproxy.grant.end_reason"] for event in netproxy.events("netproxy.grant.ended")
    ]
    assert ended == ["expired", "expired"]


def asking(netproxy: Netproxy, site: Site, *, times: int, pause: float = 0) -> Terminal:
    url = f"http://site.test:{site.port}/"
    script = "; ".join([f"curl -sS {url}; sleep {pause}"] * times)
    words = ("run", "--audit-dir", str(netproxy.audit), *named("site.test"))
    return Terminal(
        netproxy.argv(*words, "--", "sh", "-c", script),
        cwd=netproxy.workspace,
        environment=netproxy.environment(),
    )


def test_a_managed_file_that_others_can_write_stops_everything(
    ordinary: Person, base: Path
) -> None:
    done = managed(ordinary, base, "", mode=0o666).run(command=["true"])
    assert done.status == 78
    assert "must belong to root" in done.err


def test_one_of_another_owner_stops_everything(ordinary: Person, base: Path) -> None:
    done = managed(ordinary, base, "", owner=12345).run(command=["true"])
    assert done.status == 78
    assert done.err == (
        f"netproxy run: {MANAGED}: must belong to root, and nobody else may be able to write it\n"
    )


def test_a_project_narrows_what_its_user_allows(ordinary: Person, base: Path) -> None:
    with Site() as site:
        netproxy = managed(ordinary, base, "")
        config(
            netproxy,
            f"[profiles.mine.network]\nallow = ['a.test:{site.port}', 'b.test:{site.port}']\n",
        )
        project(netproxy, "[profiles.theirs.network]\ndeny = ['b.test']\n")
        assert netproxy("trust", "--yes").status == 0
        get = ["curl", "-sS"]
        names = (*named("a.test"), *named("b.test"))
        allowed = netproxy.run(*names, command=[*get, f"http://a.test:{site.port}/"])
        denied = netproxy.run(*names, command=[*get, f"http://b.test:{site.port}/"])
    assert (allowed.status, allowed.out) == (0, "hello\n"), allowed.err
    assert denied.status == 77
    assert "denied by rule b.test (netproxy.toml:2)" in denied.err


def test_a_project_widens_what_its_user_gives_it_and_no_more(ordinary: Person, base: Path) -> None:
    netproxy = managed(ordinary, base, "")
    user = config(netproxy, "[projects]\nallow = ['a.test']\n")
    file = project(
        netproxy,
        "[profiles.p.network]\nallow = ['a.test', 'b.test']\non_denial = 'block'\n",
    )
    done = netproxy("trust", "--yes")
    assert done.status == 78
    assert (
        done.err
        == f"""\
netproxy trust: {file}:2:20 profiles.p.network.allow[1]: \
b.test is more than the user allows by rules or by {user}:1:1 projects
netproxy trust: {file}:3:1 profiles.p.network.on_denial: \
'block', but a project may only be stricter than 'cancel'
"""
    )


@pytest.mark.parametrize(("key", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_trust_is_given_at_a_terminal(ordinary: Person, base: Path, key: str, status: int) -> None:
    netproxy = managed(ordinary, base, "")
    project(netproxy, "[profiles.p.network]\ndeny = ['b.test']\n")
    with Terminal(
        netproxy.argv("trust"), cwd=netproxy.workspace, environment=netproxy.environment()
    ) as terminal:
        terminal.see(r"deny b\.test.*Trust this content\? \[y/N\] ")
        terminal.press(f"{key}\n")
        assert terminal.wait() == status
    listed = netproxy("trust", "--list", "--json").out
    assert ("netproxy.toml" in listed) is (status == 0)
