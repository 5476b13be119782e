"""Real clients while somebody is asked from elsewhere: held, refused, let through, cut."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from approvals import Scope, Verdict
from approvals.model import Budget
from otel.events import ApprovalFlood, ConnectionClosed, PolicyDecision, PolicyLoaded, RuleWritten
from tests.support.fair_clock import FairClock
from tests.support.live_gateway import CONFIG, LiveGateway, live_gateway
from tests.support.origins import Keeper, echo, origin
from tests.support.proxies import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from socket import socket

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
SHORT = CONFIG + "[approvals]\nhold_seconds = 5\nhold_seconds_http = 0.05\n"


class Curl:
    """One curl through the gateway, in the background."""

    def __init__(self, gateway: LiveGateway, *words: str) -> None:
        argv = [
            "curl",
            "-s",
            "-S",
            "-i",
            "--max-time",
            "20",
            "-x",
            f"http://{gateway.http}",
            *words,
        ]
        self.process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def said(self) -> str:
        out, _ = self.process.communicate(timeout=60)
        return out


@pytest.fixture
def site() -> Iterator[int]:
    with origin(Keeper(lambda _: HI)) as far:
        yield far.port


def test_a_hold_that_passes_is_told_honestly_and_a_late_yes_serves_the_retry(
    tmp_path: Path, site: int
) -> None:
    url = f"http://a.test:{site}/"
    with live_gateway(tmp_path, config=SHORT) as gateway:
        first = Curl(gateway, url).said()
        assert first.startswith("HTTP/1.1 403 ")
        assert "Retry-After: 5" in first
        told = json.loads(first.partition("\n\n")[2])
        assert (told["reason"], told["status"]) == ("approval_timeout", "blocked")
        assert not gateway.token.is_cancelled
        asked = gateway.asked()
        assert told["approval_id"] == asked.question.approval_id
        gateway.answer(Verdict.ALLOW, Scope.SESSION)
        assert Curl(gateway, url).said().endswith("hi")
        assert Curl(gateway, url).said().endswith("hi")
    assert [each.reason for each in gateway.trail.of(PolicyDecision)] == [
        "approval_timeout",
        "allowed_by_grant",
        "allowed_by_grant",
    ]


@pytest.mark.parametrize("cancel", [True, False])
def test_a_no_from_another_channel_ends_the_command_or_not(
    tmp_path: Path, site: int, cancel: bool
) -> None:
    with live_gateway(tmp_path) as gateway:
        curl = Curl(gateway, f"http://a.test:{site}/")
        gateway.answer(Verdict.DENY, Scope.SESSION, cancel=cancel, comment="not this one")
        said = curl.said()
        assert said.startswith("HTTP/1.1 403 ")
        assert "denied for this session by anna (web): not this one" in said
        assert gateway.token.is_cancelled is cancel
        if not cancel:
            again = Curl(gateway, f"http://a.test:{site}/").said()
            assert '"reason":"denied_by_session"' in again.replace(": ", ":")
            assert not gateway.token.is_cancelled


def test_a_storm_is_refused_beyond_the_limit_and_told_once(tmp_path: Path) -> None:
    config = SHORT + "max_pending = 3\n"
    with live_gateway(tmp_path, config=config) as gateway:
        answers = [Curl(gateway, f"http://{number}.a.test:1/").said() for number in range(8)]
        assert sum("limit_exceeded" in said for said in answers) == 5
        assert len(gateway.call(gateway.service.pending)) == 3
        assert not gateway.token.is_cancelled
    (flood,) = gateway.trail.of(ApprovalFlood)
    assert flood.refused == 5


def test_always_becomes_a_rule_that_decides_the_next_connection(tmp_path: Path, site: int) -> None:
    url = f"http://a.test:{site}/"
    with live_gateway(tmp_path) as gateway:
        curl = Curl(gateway, url)
        gateway.answer(Verdict.ALLOW, Scope.ALWAYS, comment="ours")
        assert curl.said().endswith("hi")
        assert gateway.file.read_text().startswith(CONFIG)
        (written,) = gateway.trail.of(RuleWritten)
        assert written in gateway.trail.synced

        def is_by_rule() -> bool:
            assert Curl(gateway, url).said().endswith("hi")
            return gateway.trail.of(PolicyDecision)[-1].reason == "allowed_by_rule"

        eventually(is_by_rule)
        reported = gateway.trail.of(PolicyDecision)[-1]
    assert "config.toml" in str(reported.rule)


def bulk(client: socket) -> None:
    """Send for as long as anybody reads."""
    try:
        while True:
            client.sendall(bytes(65536))
    except OSError:
        return


def test_revoking_cuts_everything_that_the_yes_carries(tmp_path: Path) -> None:
    """A bulk download by curl (spliced by then), an idle tunnel, one that is being asked anew."""
    with origin(bulk) as far, live_gateway(tmp_path) as gateway:
        url = f"telnet://a.test:{far.port}"
        words = ("-p", "-o", str(tmp_path / "got"), url)
        curls = [Curl(gateway, *words) for _ in range(3)]
        eventually(lambda: gateway.call(gateway.service.pending)[:1] != ())
        eventually(lambda: gateway.asked().waiting == 3)
        gateway.answer(Verdict.ALLOW, Scope.SESSION)
        eventually(
            lambda: (tmp_path / "got").exists() and (tmp_path / "got").stat().st_size > 10**7
        )
        clock = FairClock()
        gateway.revoke()
        eventually(lambda: len(gateway.trail.of(ConnectionClosed)) == 3)
        took = clock()
        for curl in curls:
            curl.said()
    assert {each.close_reason for each in gateway.trail.of(ConnectionClosed)} == {"revoked"}
    assert took < 1


def test_a_time_that_is_over_cuts_what_it_carries(tmp_path: Path) -> None:
    with origin(echo) as far, live_gateway(tmp_path) as gateway:
        curl = Curl(gateway, "-p", f"telnet://a.test:{far.port}")
        gateway.answer(Verdict.ALLOW, Scope.TIME, seconds=1.0)
        curl.said()
    (closed,) = gateway.trail.of(ConnectionClosed)
    assert closed.close_reason == "grant_expired"


def test_a_budget_of_connections_lets_so_many_through_and_then_asks(
    tmp_path: Path, site: int
) -> None:
    url = f"http://a.test:{site}/"
    with live_gateway(tmp_path) as gateway:
        first = Curl(gateway, url)
        gateway.answer(Verdict.ALLOW, Scope.SESSION, budget=Budget(connections=3))
        assert first.said().endswith("hi")
        for _ in range(2):
            assert Curl(gateway, url).said().endswith("hi")
        fourth = Curl(gateway, url)
        gateway.answer(Verdict.DENY, Scope.ONCE)
        assert fourth.said().startswith("HTTP/1.1 403 ")
    reasons = [each.reason for each in gateway.trail.of(PolicyDecision)]
    assert reasons == ["approved", "allowed_by_grant", "allowed_by_grant", "denied_by_reviewer"]


@pytest.mark.parametrize("connections", [None, 1], ids=["bytes", "the last connection's bytes"])
def test_a_budget_of_bytes_cuts_the_download_that_uses_it_up(
    tmp_path: Path, connections: int | None
) -> None:
    with origin(bulk) as far, live_gateway(tmp_path) as gateway:
        curl = Curl(gateway, "-p", "-o", "/dev/null", f"telnet://a.test:{far.port}")
        gateway.answer(
            Verdict.ALLOW, Scope.SESSION, budget=Budget(connections=connections, bytes=10**6)
        )
        curl.said()
        eventually(lambda: bool(gateway.trail.of(ConnectionClosed)))
        assert gateway.call(gateway.service.grants) == ()
    (closed,) = gateway.trail.of(ConnectionClosed)
    assert closed.close_reason == "byte_limit"
    assert closed.bytes_received >= 10**6


def test_always_that_can_not_be_kept_is_a_no_that_says_why(tmp_path: Path, site: int) -> None:
    """And a no for always that can't be kept holds for the session."""
    config = CONFIG.replace(
        "[profiles.dev.network]\n",
        "[profiles.dev.network]\nrules = [{ host = 'x.test', verdict = 'allow' }]\n",
    )
    url = f"http://a.test:{site}/"
    with live_gateway(tmp_path, config=config) as gateway:
        curl = Curl(gateway, url)
        gateway.answer(Verdict.ALLOW, Scope.ALWAYS)
        said = curl.said()
        assert said.startswith("HTTP/1.1 403 ")
        assert "config.toml" in said
        assert gateway.call(gateway.service.grants) == ()
        again = Curl(gateway, url)
        gateway.answer(Verdict.DENY, Scope.ALWAYS)
        assert again.said().startswith("HTTP/1.1 403 ")
        third = json.loads(Curl(gateway, url).said().partition("\n\n")[2])
        assert third["reason"] == "denied_by_session"
        assert gateway.file.read_text() == config


def test_a_rule_that_is_deleted_takes_its_answer_with_it(tmp_path: Path) -> None:
    """What it let through is closed, and the next one is asked about."""
    with origin(echo) as far, live_gateway(tmp_path) as gateway:
        words = ("-p", f"telnet://a.test:{far.port}")
        first = Curl(gateway, *words)
        gateway.answer(Verdict.ALLOW, Scope.ALWAYS)
        eventually(lambda: bool(gateway.trail.of(PolicyLoaded)))
        assert len(gateway.call(gateway.service.grants)) == 1
        gateway.file.write_text(CONFIG)
        first.said()
        assert gateway.call(gateway.service.grants) == ()
        second = Curl(gateway, *words)
        gateway.answer(Verdict.DENY, Scope.ONCE)
        second.said()
    (closed,) = gateway.trail.of(ConnectionClosed)
    assert closed.close_reason == "revoked"
