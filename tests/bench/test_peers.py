"""Every peer listens on loopback, keeps to its folder, and lets through the origin alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import figures
from bench.peers import (
    PEERS,
    Peer,
    Place,
    dante_configuration,
    mitmdump_arguments,
    squid_configuration,
    tinyproxy_configuration,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def place(folder: Path, *, is_root: bool = False) -> Place:
    return Place(
        folder=folder, port=3001, socks_port=3002, origin="127.0.0.1:8001", is_root=is_root
    )


def test_every_peer_has_a_row_and_a_command_to_install_it() -> None:
    assert tuple(peer.name for peer in PEERS) == figures.PEERS
    assert all(" install " in peer.install for peer in PEERS)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_speaks_on_loopback(peer: Peer, tmp_path: Path) -> None:
    ways = peer.ways(place(tmp_path))
    assert set(ways) == peer.speaks
    for way, address in ways.items():
        own_port = way == "socks5" and peer.has_socks_port
        assert address == ("127.0.0.1:3002" if own_port else "127.0.0.1:3001")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_is_told_no_path_outside_its_folder(peer: Peer, tmp_path: Path) -> None:
    said = " ".join(peer.arguments(place(tmp_path, is_root=True)))
    said += "".join(each.read_text() for each in tmp_path.iterdir())
    paths = [word for word in said.replace('"', " ").replace("=", " ").split() if word[0] == "/"]
    assert all(word.startswith((str(tmp_path), "/!~d", "/32")) for word in paths), paths


def test_a_peer_that_is_not_installed_is_not_found(tmp_path: Path) -> None:
    missing = Peer(
        name="none",
        program="no-such-proxy",
        install="apt-get install none",
        arguments=lambda _: [],
        speaks=frozenset({"connect"}),
    )
    assert missing.find() is None
    assert missing.ways(place(tmp_path)) == {"connect": "127.0.0.1:3001"}


def test_squid_lets_through_the_origin_alone(tmp_path: Path) -> None:
    lines = squid_configuration(place(tmp_path)).splitlines()
    assert "http_port 127.0.0.1:3001" in lines
    assert [line for line in lines if line.startswith(("acl", "http_access"))] == [
        "acl origin dst 127.0.0.1",
        "acl origin_port port 8001",
        "http_access allow origin origin_port",
        "http_access deny all",
    ]


def test_tinyproxy_lets_through_the_origin_alone(tmp_path: Path) -> None:
    lines = tinyproxy_configuration(place(tmp_path)).splitlines()
    assert {"Listen 127.0.0.1", "FilterDefaultDeny Yes", "ConnectPort 8001"} < set(lines)
    assert (tmp_path / "allowed").read_text() == "^127\\.0\\.0\\.1$\n"


def test_dante_lets_through_the_origin_alone(tmp_path: Path) -> None:
    said = dante_configuration(place(tmp_path))
    assert "internal: 127.0.0.1 port = 3001" in said
    assert said.count("to: 127.0.0.1/32 port = 8001") == said.count("socks pass") == 1


def test_mitmdump_lets_through_the_origin_alone(tmp_path: Path) -> None:
    said = mitmdump_arguments(place(tmp_path))
    assert r"block_list=/!~d ^127\.0\.0\.1$/403" in said
    assert {"regular@127.0.0.1:3001", "socks5@127.0.0.1:3002"} < set(said)


@pytest.mark.parametrize(
    ("configuration", "line"),
    [
        pytest.param(squid_configuration, "cache_effective_user nobody", id="squid"),
        pytest.param(tinyproxy_configuration, "User nobody", id="tinyproxy"),
        pytest.param(dante_configuration, "user.unprivileged: nobody", id="dante"),
    ],
)
def test_whom_root_starts_becomes_nobody(
    configuration: Callable[[Place], str], line: str, tmp_path: Path
) -> None:
    assert line in configuration(place(tmp_path, is_root=True)).splitlines()
    assert "user" not in configuration(place(tmp_path, is_root=False)).lower()
