"""Whoever controls a webhook's name, its answers or its URL tries to send the gateway elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from approvals.webhook.transport import Attempt, Problem, Transport
from netproxy.app.webhooks import WebhookNetwork
from tests.support.loops import on_a_loop
from tests.support.receivers import OK, To, receiver, status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.receivers import Receiver

METADATA = "http://169.254.169.254/latest/meta-data/"


class Liar:
    """A name server that says something else each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked += 1
        return self._answers.pop(0)


async def post(to: To, *answers: Sequence[str]) -> Attempt:
    return await Transport(WebhookNetwork(Liar(*answers))).post(to, {"webhook-id": "w"}, b"{}")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@on_a_loop
async def test_a_redirect_to_the_metadata_service_or_another_door_is_not_followed(
    code: int,
) -> None:
    async with receiver() as inner:
        for leads_to in (METADATA, inner.url(), "//127.0.0.2/", "file:///etc/passwd"):
            async with receiver(status(code, f"Location: {leads_to}")) as hook:
                attempt = await post(To(url=hook.url()))
            assert attempt.problem is Problem.REDIRECT
            assert len(hook.got) == 1
        assert inner.got == []


@on_a_loop
async def test_a_name_that_changes_between_check_and_dial_is_asked_once() -> None:
    """DNS rebinding: the address that was vetted is the one that is dialled."""
    async with receiver() as allowed, receiver(host="127.0.0.2") as forbidden:
        network = Liar(["127.0.0.1"], ["127.0.0.2"])
        to = To(url=allowed.url("hooks.example"), allow_private=("127.0.0.1/32",))
        attempt = await Transport(WebhookNetwork(network)).post(to, {}, b"{}")
        assert attempt.problem is None
        assert network.asked == 1
        again = await Transport(WebhookNetwork(network)).post(to, {}, b"{}")
    assert again.problem is Problem.REFUSED_ADDRESS
    assert (len(allowed.got), forbidden.got) == (1, [])


@pytest.mark.parametrize(
    "leads_to",
    [
        "127.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "::127.0.0.1",
    ],
)  # fmt: skip
@on_a_loop
async def test_a_public_name_that_leads_inside_is_refused_before_a_byte_is_sent(
    leads_to: str,
) -> None:
    async with receiver() as hook:
        to = To(url=f"https://hooks.example:{hook.port}/", allow_private=())
        attempt = await post(to, [leads_to])
        assert attempt.problem is Problem.REFUSED_ADDRESS
        assert hook.got == []


@on_a_loop
async def test_of_several_addresses_none_that_was_refused_is_tried() -> None:
    """Not even when the allowed one doesn't answer."""
    async with receiver(host="127.0.0.2") as inner:
        to = To(url=inner.url("hooks.example"), allow_private=("127.0.0.1/32",))
        attempt = await post(to, ["127.0.0.1", "127.0.0.2"])
        assert attempt.problem is Problem.CONNECT
        assert inner.got == []


@pytest.mark.parametrize(
    "literal", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[64:ff9b::a00:1]"]
)
@on_a_loop
async def test_a_literal_is_held_against_the_same_table(literal: str) -> None:
    attempt = await post(To(url=f"https://{literal}/", allow_private=()))
    assert attempt.problem is Problem.REFUSED_ADDRESS


@on_a_loop
async def test_nothing_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No proxy sees the signature, and no .netrc adds a password."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login anna password secret\n")
    netrc.chmod(0o600)
    async with receiver() as proxy, receiver(OK) as hook:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NETRC", str(netrc))
        assert os.environ["http_proxy"]
        await post(To(url=hook.url()))
        assert proxy.got == []
        assert "authorization" not in dict(hook.got[0].headers)


@on_a_loop
async def test_a_cookie_is_not_kept() -> None:
    async with receiver(status(200, "Set-Cookie: id=1; Path=/")) as hook:
        transport = Transport(WebhookNetwork(Liar()))
        for _ in range(2):
            await transport.post(To(url=hook.url()), {}, b"{}")
        assert all("cookie" not in dict(each.headers) for each in hook.got)


async def _slow(hook: Receiver) -> Attempt:
    hook.drip_seconds = 0.01
    return await post(To(url=hook.url(), timeout_seconds=0.25))


@on_a_loop
async def test_an_answer_byte_by_byte_ends_with_the_time() -> None:
    async with receiver(status(200, "X-Slow: " + "x" * 4000)) as hook:
        attempt = await _slow(hook)
    assert attempt.problem is Problem.TIMEOUT
    assert attempt.seconds < 10, "all of it takes forty"


@on_a_loop
async def test_a_body_without_end_is_not_read() -> None:
    flood = (
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 200
    )
    async with receiver(flood) as hook:
        attempt = await post(To(url=hook.url()))
    assert (attempt.problem, attempt.status) == (Problem.STATUS, 500)
    assert len(attempt.answer) < 300


@on_a_loop
async def test_a_packed_bomb_stays_packed() -> None:
    bomb = status(500, "Content-Encoding: gzip", body=b"\x1f\x8b" + b"\0" * 64)
    async with receiver(bomb) as hook:
        attempt = await post(To(url=hook.url()))
    assert attempt.problem is Problem.STATUS


@on_a_loop
async def test_a_receiver_that_writes_to_the_terminal_is_shown_escaped() -> None:
    evil = b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae"
    async with receiver(status(400, body=evil)) as hook:
        attempt = await post(To(url=hook.url()))
    assert "\x1b" not in attempt.answer
    assert attempt.answer.isascii()
