"""Each tool that the environment table names reaches a site through the proxy, by its own row.

The sandbox has no other way out. What is shown beyond that: which protocol a tool speaks to the
proxy, that each variable alone is enough, and that without them the tool gets nowhere.
"""

from __future__ import annotations

import shlex
import shutil
from contextlib import ExitStack
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
EVERY_ROW = tuple(name for row in TABLE for name in row.names)


class Origins:
    """The same pages over HTTP and over HTTPS; and once more, for who shall not get there."""

    def __init__(self, sites: dict[str, Pages], nowhere: dict[str, Pages], bundle: Path) -> None:
        self._sites, self._nowhere, self._bundle = sites, nowhere, bundle
        for scheme, site in (*sites.items(), *nowhere.items()):
            site.pages |= npm_registry(f"{scheme}://{HOST}:{site.port}")

    def site(self, client: Client) -> Pages:
        return self._sites[client.scheme]

    def nowhere(self, client: Client) -> Pages:
        return self._nowhere[client.scheme]

    def command(self, client: Client) -> list[str]:
        return client.command(self._errand(client, self.site(client)))

    def in_vain(self, client: Client) -> list[str]:
        return client.command(self._errand(client, self.nowhere(client)))

    def allowed(self) -> list[str]:
        """Options of `run`: all of them, so that only the way there is missing."""
        sites = (*self._sites.values(), *self._nowhere.values())
        return [word for site in sites for word in ("--allow", f"{HOST}:{site.port}")]

    def _errand(self, client: Client, site: Pages) -> Errand:
        return Errand(site=f"{client.scheme}://{HOST}:{site.port}", bundle=self._bundle)


def fetch(
    netproxy: Netproxy, origins: Origins, authority: Authority, client: Client, script: str
) -> Done:
    return netproxy.run(
        # By its variables or not at all: what is captured is told elsewhere.
        *(*named(HOST), *origins.allowed(), "--ask", "never", "--capture", "off"),
        command=["sh", "-c", script],
        environment={"PATH": search_path(client), **authority.trust(), **dict(client.environment)},
    )


def step(folder: str, kept: tuple[str, ...], command: list[str]) -> str:
    """Lines of a shell, in a folder of its own (pip downloads no file twice), without the others.

    The last one that says its name is the one that failed.
    """
    unset = [word for name in EVERY_ROW if name not in kept for word in ("-u", name)]
    return (
        f"echo {folder} && mkdir {folder} && cd {folder} && {shlex.join(['env', *unset, *command])}"
    )


@pytest.fixture
def origins(base: Path, authority: Authority) -> Iterator[Origins]:
    pages = {"/page": b"hello\n"} | python_index()
    if shutil.which("git") is not None:
        pages |= git_pages(bare_repository(base / "repo.git"), "/repo.git")
    with ExitStack() as stack:
        sites, nowhere = (
            {
                "http": stack.enter_context(Pages(dict(pages))),
                "https": stack.enter_context(Pages(dict(pages), authority)),
            }
            for _ in range(2)
        )
        yield Origins(sites, nowhere, authority.bundle)


def _rows() -> list[object]:
    return [pytest.param(client, marks=_marks(client), id=client.name) for client in CLIENTS]


def _marks(client: Client) -> list[pytest.MarkDecorator]:
    # A node that is new enough may have to be fetched; both workers need not wait for it.
    needs_node = client.program == "node"
    return [pytest.mark.network, pytest.mark.xdist_group("node")] if needs_node else []


def check(netproxy: Netproxy, origins: Origins, client: Client) -> None:
    """The page was fetched, and the journal says exactly how; and of nothing else."""
    site = origins.site(client)
    assert client.visit in site.visits
    seen = {
        (
            decision["server.address"],
            decision["server.port"],
            decision["network.transport.protocol"],
            decision["network.policy.decision"],
            decision["network.policy.reason"],
        )
        for decision in netproxy.decisions()
    }
    assert seen == {(HOST, site.port, client.protocol, "allow", "allowed_by_rule")}


@pytest.mark.parametrize("client", _rows())
def test_the_table_leads_each_tool_to_the_proxy(
    me: Person, base: Path, origins: Origins, authority: Authority, client: Client
) -> None:
    """Without it the tool gets nowhere; with all of it, and with each variable alone, it does.

    One after the other in one sandbox: to start one for each takes longer than to fetch.
    """
    netproxy, command = Netproxy(me, base), origins.command(client)
    steps = [
        f"({step('without', (), origins.in_vain(client))}) >/dev/null 2>&1 && exit",
        f"({step('with', EVERY_ROW, command)}) || exit",
        "echo >&2",
        *(f"({step('+'.join(kept), kept, command)}) || exit" for kept in client.alone),
        "echo fetched",
    ]
    done = fetch(netproxy, origins, authority, client, "\n".join(steps))
    assert (done.status, done.out.split()[-1:]) == (0, ["fetched"]), done
    assert origins.nowhere(client).visits == []
    check(netproxy, origins, client)
    assert origins.site(client).visits.count(client.visit) > len(client.alone)
    said = done.err.partition("\n\n")[0]
    assert "warn" not in said.lower(), "no tool complains about a variable of the table"


def test_an_ordinary_user_runs_them(
    ordinary: Person, base: Path, origins: Origins, authority: Authority
) -> None:
    netproxy = Netproxy(ordinary, base)
    clients = [BY_NAME[name] for name in ("curl", "git", "urllib")]
    steps = [
        f"({step(client.name, EVERY_ROW, origins.command(client))}) || exit" for client in clients
    ]
    done = fetch(netproxy, origins, authority, clients[0], "\n".join(steps))
    assert done.status == 0, done
    for client in clients:
        check(netproxy, origins, client)


def test_every_client_is_read_of_in_the_table() -> None:
    """A variable that a client is said to honour is one that the table sets."""
    names = {name for row in TABLE for name in row.names}
    assert {name for client in CLIENTS for group in client.alone for name in group} <= names
