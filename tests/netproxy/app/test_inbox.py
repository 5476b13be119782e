"""The inbox listens from the start, and says how to get in to who may know."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.approval_settings import ApprovalSettings
from netproxy.app.inbox import open_inbox
from netproxy.app.listening import ListenAddress, ListenRefused, listen
from netproxy.app.settings import Ask

if TYPE_CHECKING:
    from netproxy.app.settings import Settings

ANY = ListenAddress(host="127.0.0.1", port=0)


@dataclass
class Chosen:
    """As much of the settings as the inbox looks at."""

    inbox: ListenAddress | None = ANY
    public_url: str | None = None
    ask: Ask = Ask.TERMINAL
    command: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)

    @property
    def approvals(self) -> ApprovalSettings:
        return ApprovalSettings(inbox=self.inbox, public_url=self.public_url)

    @property
    def settings(self) -> Settings:
        return cast("Settings", self)


@pytest.mark.parametrize("chosen", [Chosen(inbox=None), Chosen(ask=Ask.NEVER)])
def test_nothing_listens_where_nobody_asked_for_it(chosen: Chosen) -> None:
    with open_inbox(chosen.settings, "anna", chosen.said.append, on_terminal=True) as opened:
        assert opened is None
    assert chosen.said == []


def test_at_a_terminal_it_says_a_link() -> None:
    chosen = Chosen()
    with open_inbox(chosen.settings, "anna", chosen.said.append, on_terminal=True) as opened:
        assert opened is not None
        port = opened.listener.getsockname()[1]
        (line,) = chosen.said
        start, _, code = line.partition("?code=")
        assert start == f"answer questions at http://127.0.0.1:{port}/login"
        assert opened.links.codes.redeem(code) == "anna"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_anywhere_else_it_says_no_secret() -> None:
    """What is said may be kept in a log, where others read."""
    chosen = Chosen(public_url="https://reviews.example.org")
    with open_inbox(chosen.settings, "anna", chosen.said.append, on_terminal=False) as opened:
        assert opened is not None
        assert opened.links.base_url == "https://reviews.example.org"
    assert chosen.said == [
        "inbox on https://reviews.example.org: to sign in, netproxy approvals login"
    ]


def test_a_command_takes_another_port_beside_another_inbox() -> None:
    with listen(ANY) as taken:
        address = ListenAddress(host="127.0.0.1", port=taken.getsockname()[1])
        chosen = Chosen(inbox=address, command=("true",))
        with open_inbox(chosen.settings, "anna", chosen.said.append, on_terminal=False) as opened:
            assert opened is not None
            assert opened.listener.getsockname()[1] != address.port
        assert chosen.said[0].startswith("warning: ")
        assert chosen.said[0].endswith("the inbox takes another port")


def test_a_service_has_its_address_or_does_not_start() -> None:
    with listen(ANY) as taken:
        address = ListenAddress(host="127.0.0.1", port=taken.getsockname()[1])
        chosen = Chosen(inbox=address)
        with (
            pytest.raises(ListenRefused),
            open_inbox(chosen.settings, "anna", chosen.said.append, on_terminal=False),
        ):
            pass
