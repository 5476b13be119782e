"""Each tool that the environment table names reaches a site through the proxy, by its own row.

The sandbox has no other way out. What is shown beyond that: which protocol a tool speaks to the
proxy, that each variable alone is enough, and that without them the tool gets nowhere.
"""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from sandbox.environment import TABLE
from tests.support.clients import CLIENTS, Client, Errand, search_path
from tests.support.packages import bare_repository, git_pages, npm_registry, python_index
from tests.support.runs import Done, Netproxy
from tests.support.sites import named
from tests.support.tls import Authority, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

HOST = "origin.test"
BY_NAME = {client.name: client for client in CLIENTS}


class Origins:
    """The same pages over HTTP and over HTTPS."""

    def __init__(self, plain: Pages, secure: Pages, authority: Authority) -> None:
        self._sites = {"http": plain, "https": secure}
        self._authority = authority
        for scheme, site in self._sites.items():
            site.pages |= npm_registry(f"{scheme}://{HOST}:{site.port}")

    def site(self, client: Client) -> Pages:
        return self._sites[client.scheme]

    def fetch(
        self, netproxy: Netproxy, client: Client, *, only: tuple[tuple[str, ...], ...] | None = None
    ) -> Done:
        """Run the client, once for each set of rows of the table in `only` (None: with all)."""
        port = self.site(client).port
        errand = Errand(site=f"{client.scheme}://{HOST}:{port}", bundle=self._authority.bundle)
        path = search_path(client)
        return netproxy.run(
            *named(HOST),
            *("--allow", f"{HOST}:{port}", "--ask", "never"),
            command=_in_turn(client.command(errand), only),
            environment={"PATH": path, **self._authority.trust(), **dict(client.environment)},
        )


def _in_turn(command: list[str], only: tuple[tuple[str, ...], ...] | None) -> list[str]:
    """Each in a folder of its own: pip downloads no file twice."""
    if only is None:
        return command
    steps = [
        f"mkdir {number} && cd {number} && echo {'+'.join(kept)}"  # the last one printed failed
        f" && {shlex.join([*_without_rows(kept), *command])} && cd .. || exit"
        for number, kept in enumerate(only)
    ]
    return ["sh", "-c", "\n".join(steps)]


def _without_rows(kept: tuple[str, ...]) -> list[str]:
    names = [name for row in TABLE for name in row.names if name not in kept]
    return ["env", *(word for name in names for word in ("-u", name))]


@pytest.fixture
def origins(base: Path, authority: Authority) -> Iterator[Origins]:
    pages = {"/page": b"hello\n"} | python_index()
    if shutil.which("git") is not None:
        pages |= git_pages(bare_repository(base / "repo.git"), "/repo.git")
    with Pages(pages) as plain, Pages(pages, authority) as secure:
        yield Origins(plain, secure, authority)


def _rows() -> list[object]:
    return [pytest.param(client, marks=_marks(client), id=client.name) for client in CLIENTS]


def _marks(client: Client) -> list[pytest.MarkDecorator]:
    # A node that is new enough may have to be fetched; both workers need not wait for it.
    needs_node = client.program == "node"
    return [pytest.mark.network, pytest.mark.xdist_group("node")] if needs_node else []


def check(netproxy: Netproxy, origins: Origins, client: Client, done: Done) -> None:
    """The page was fetched, and the journal says exactly how."""
    assert done.status == 0, done.err
    site = origins.site(client)
    assert client.visit in site.visits
    decisions = netproxy.decisions()
    seen = {
        (
            decision["server.address"],
            decision["server.port"],
            decision["network.transport.protocol"],
            decision["network.policy.decision"],
            decision["network.policy.reason"],
        )
        for decision in decisions
    }
    assert seen == {(HOST, site.port, client.protocol, "allow", "allowed_by_rule")}


@pytest.mark.parametrize("client", _rows())
def test_the_table_leads_each_tool_to_the_proxy(
    me: Person, base: Path, origins: Origins, client: Client
) -> None:
    netproxy = Netproxy(me, base)
    done = origins.fetch(netproxy, client)
    check(netproxy, origins, client, done)
    assert "warn" not in done.err.lower(), "no tool complains about a variable of the table"


@pytest.mark.parametrize("client", _rows())
def test_each_variable_alone_is_enough(
    me: Person, base: Path, origins: Origins, client: Client
) -> None:
    """One after the other in one sandbox: to start one for each takes longer than to fetch."""
    netproxy = Netproxy(me, base)
    done = origins.fetch(netproxy, client, only=client.alone)
    check(netproxy, origins, client, done)
    assert origins.site(client).visits.count(client.visit) >= len(client.alone)


@pytest.mark.parametrize("client", _rows())
def test_without_the_table_a_tool_gets_nowhere(
    me: Person, base: Path, origins: Origins, client: Client
) -> None:
    netproxy = Netproxy(me, base)
    done = origins.fetch(netproxy, client, only=((),))
    assert done.status not in {0, 77, 125}
    assert origins.site(client).visits == []
    assert netproxy.decisions() == []


@pytest.mark.parametrize("name", ["curl", "git", "urllib"])
def test_whoever_runs_them(person: Person, base: Path, origins: Origins, name: str) -> None:
    client = BY_NAME[name]
    netproxy = Netproxy(person, base)
    done = origins.fetch(netproxy, client)
    check(netproxy, origins, client, done)


def test_every_client_is_read_of_in_the_table() -> None:
    """A variable that a client is said to honour is one that the table sets."""
    names = {name for row in TABLE for name in row.names}
    assert {name for client in CLIENTS for group in client.alone for name in group} <= names
