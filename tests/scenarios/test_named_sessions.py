"""A session with a name goes on where it was left; one without begins anew."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.origins import Keeper, origin
from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
USUAL = """\
[profiles.dev.network]
on_denial = "block"
allow_private = ["127.0.0.0/8"]

[resolver]
hosts = { "a.test" = "127.0.0.1" }
"""
# Somebody who says yes to everything, as long as this is there.
GENEROUS = (
    USUAL + '\n[[approvals.auto]]\nname = "yes"\nhosts = ["a.test:*"]\nverdict = "allow"\n'
    'scope = "session"\n'
)


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def url() -> Iterator[str]:
    with origin(Keeper(lambda _: HI)) as far:
        yield f"http://a.test:{far.port}/"


def configure(netproxy: Netproxy, text: str) -> None:
    file = netproxy.config / "netproxy" / "config.toml"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(text)


def fetched(service: Service, url: str, *words: str) -> str:
    argv = ["curl", "-s", "--max-time", "10", "-x", f"http://{service.address}", *words, url]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout


def sessions(netproxy: Netproxy) -> list[str]:
    return [str(each["session.id"]) for each in netproxy.events("netproxy.session.started")]


def test_who_holds_a_token_goes_on_with_another_one(netproxy: Netproxy, url: str) -> None:
    """The name is who it is: the token may change, and nobody else's answers are theirs."""
    configure(netproxy, GENEROUS)
    tokens = netproxy.workspace / "tokens"

    def admit(*lines: str) -> None:
        tokens.write_text("".join(f"{line}\n" for line in lines))
        tokens.chmod(0o600)

    admit("builds:0123456789abcdef", "others:0123456789abcdefg")
    with Service(netproxy, "--token-file", str(tokens)) as service:
        assert fetched(service, url, "-U", "x:0123456789abcdef") == "hi"
        assert service.stop() == 0
    configure(netproxy, USUAL)
    admit("builds:abcdef0123456789", "others:0123456789abcdefg")
    with Service(netproxy, "--token-file", str(tokens)) as service:
        assert fetched(service, url, "-U", "x:abcdef0123456789") == "hi"
        assert "approval_unavailable" in fetched(service, url, "-U", "x:0123456789abcdefg")
        admit("builds:9876543210abcdef", "others:0123456789abcdefg")
        service.signal(signal.SIGHUP)
        service.says("tokens read again")
        assert fetched(service, url, "-U", "x:9876543210abcdef") == "hi"


def test_a_named_run_goes_on_where_the_last_one_was_left(netproxy: Netproxy, url: str) -> None:
    configure(netproxy, GENEROUS)
    first = netproxy.run("--session", "work", command=["curl", "-s", url])
    assert first.out == "hi", first.err
    configure(netproxy, USUAL)
    again = netproxy.run("--session", "work", command=["curl", "-s", url])
    assert again.out == "hi", again.err
    other = netproxy.run(command=["curl", "-s", url])
    assert "approval_unavailable" in other.out
    one, two, three = sessions(netproxy)
    assert one == two != three


def test_runs_by_other_files_leave_each_others_answers_for_always_alone(
    netproxy: Netproxy, url: str
) -> None:
    """The second one's file has no such rule, and need not: it is in the first one's."""
    always = GENEROUS.replace('"session"', '"always"')
    for name in ("one.toml", "two.toml"):
        (netproxy.config / name).write_text(always)

    def options(name: str) -> tuple[str, ...]:
        return ("--session", "work", "--config", str(netproxy.config / name))

    script = 'curl -s "$0"; echo; read -r _'
    with netproxy.begin(*options("one.toml"), command=["sh", "-c", script, url]) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "hi\n"
        assert netproxy.run(*options("two.toml"), command=["sleep", "0.3"]).status == 0
        assert netproxy.events("netproxy.grant.ended") == []
        first.communicate("\n", timeout=60)
    (netproxy.config / "one.toml").write_text(always)
    assert netproxy.run(*options("two.toml"), command=["sleep", "0.3"]).status == 0
    (ended,) = netproxy.events("netproxy.grant.ended")
    assert ended["netproxy.grant.end_reason"] == "revoked"
