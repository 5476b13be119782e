"""What is measured: started, with a load client each, and ended.

Ours as `netproxy serve` (outside), as `netproxy run` with the load client in its sandbox (inside),
and without its journal. The relay in C is the limit: no policy, no log, one thread.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchFailed
from bench.figures import BARE_LOOP, INSIDE, NETPROXY, NO_PROXY, RELAY, UNRECORDED
from bench.load_client import LoadClient, build, load_client, origin
from bench.peers import PEERS, UNPRIVILEGED, Peer, Place
from bench.ports import free_port
from bench.processes import PROXY_CORE, Tree, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

HERE = Path(__file__).resolve().parent
NETPROXY_COMMAND = (str(Path(sys.executable).with_name("netproxy")),)
BARE_LOOP_COMMAND = (sys.executable, "-P", str(HERE / "bare_loop.py"))
UNRECORDED_COMMAND = (sys.executable, "-P", str(HERE / "unrecorded.py"))
# The origin, for clients inside that look up where to connect to.
ORIGIN_NAME = "origin.bench"
# Where a command in the sandbox finds the gateway (docs/wire.md).
_INSIDE_HTTP, _INSIDE_SOCKS = "127.0.0.1:3128", "127.0.0.1:1080"
_INSIDE_DNS = "127.0.0.1:53"
# The limits that a service has for each client are for its other clients; here is only one.
_CONFIGURATION = """\
[limits]
connections_per_second = 1000000
connections_per_run = 100000
connections_total = 100000
"""
_DECISION = b'"netproxy.policy_decision"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What all subjects share."""

    folder: Path
    tools: Path  # the load tools, built
    origin: str  # host and port
    # For idle tunnels beside new ones. Where thousands of ports towards one origin are taken,
    # connect(2) looks for a free one for milliseconds: the kernel's time, and no proxy's.
    quiet_origin: str

    def folder_of(self, name: str) -> Path:
        """Make a subject's own folder."""
        folder = self.folder / "".join(each if each.isalnum() else "-" for each in name)
        folder.mkdir()
        return folder


@contextmanager
def lab() -> Iterator[Lab]:
    """Build the tools and start the origin, in a folder that goes away with all that is in it."""
    # /tmp is another one inside the sandbox, where the load client has to be found.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="netproxy-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers that root starts become somebody else
        tools = build(folder / "tools")
        with origin(tools, folder) as to, origin(tools, folder) as quiet:
            yield Lab(folder=folder, tools=tools, origin=to, quiet_origin=quiet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One row of the table, running."""

    name: str
    client: LoadClient
    ways: Mapping[str, str]  # what `pxbench -p` can speak with it, and where
    tree: Tree | None  # None: there is no proxy


type Start = Callable[[Lab], AbstractContextManager[Subject]]


@contextmanager
def no_proxy(lab: Lab) -> Iterator[Subject]:
    """The client asks the origin."""
    folder = lab.folder_of(NO_PROXY)
    with load_client(lab.tools, lab.origin, folder) as (client, _):
        yield Subject(name=NO_PROXY, client=client, ways={"direct": lab.origin}, tree=None)


def relay(lab: Lab) -> AbstractContextManager[Subject]:
    """The limit that kernel and loopback set."""
    return _limit(lab, RELAY, (str(lab.tools / "relay"),))


def bare_loop(lab: Lab) -> AbstractContextManager[Subject]:
    """The limit that this interpreter sets."""
    return _limit(lab, BARE_LOOP, BARE_LOOP_COMMAND)


@contextmanager
def _limit(lab: Lab, name: str, command: tuple[str, ...]) -> Iterator[Subject]:
    """Start what takes a port, speaks both protocols on it, and asks for nothing."""
    folder, port = lab.folder_of(name), free_port()
    with (
        started([*PROXY_CORE, *command, str(port)], [port], folder) as pid,
        load_client(lab.tools, lab.origin, folder) as (client, _),
    ):
        ways = {"connect": f"127.0.0.1:{port}", "socks5": f"127.0.0.1:{port}"}
        yield Subject(name=name, client=client, ways=ways, tree=Tree(root=pid))


def netproxy(lab: Lab) -> AbstractContextManager[Subject]:
    """Ours, for clients outside of a sandbox."""
    return _serving(lab, NETPROXY, NETPROXY_COMMAND)


def unrecorded(lab: Lab) -> AbstractContextManager[Subject]:
    """Ours without the record."""
    return _serving(lab, UNRECORDED, UNRECORDED_COMMAND)


@contextmanager
def _serving(lab: Lab, name: str, netproxy: tuple[str, ...]) -> Iterator[Subject]:
    folder, http, socks = lab.folder_of(name), free_port(), free_port()
    command = [*PROXY_CORE, *netproxy, "serve", "--listen", f"127.0.0.1:{http}"]
    command += ["--socks", f"127.0.0.1:{socks}", "--drain", "0.1", *_gateway_options(lab, folder)]
    with (
        started(command, [http, socks], folder) as pid,
        load_client(lab.tools, lab.origin, folder) as (client, _),
    ):
        ways = {
            "connect": f"127.0.0.1:{http}",
            "abs": f"127.0.0.1:{http}",
            "socks5": f"127.0.0.1:{socks}",
        }
        yield Subject(name=name, client=client, ways=ways, tree=Tree(root=pid))
    _check_record(folder / "audit", kept=name != UNRECORDED)


@contextmanager
def inside(lab: Lab) -> Iterator[Subject]:
    """Ours where it is used: the client is the sandboxed command."""
    folder = lab.folder_of(INSIDE)
    command = [*PROXY_CORE, *NETPROXY_COMMAND, "run", *_gateway_options(lab, folder), "--"]
    with load_client(lab.tools, lab.origin, folder, inside=command) as (client, pid):
        ways = {"connect": _INSIDE_HTTP, "abs": _INSIDE_HTTP, "socks5": _INSIDE_SOCKS}
        tree = Tree(root=pid, without="bwrap")
        yield Subject(name=INSIDE, client=client, ways=ways, tree=tree)
    _check_record(folder / "audit", kept=True)


@contextmanager
def captured(lab: Lab) -> Iterator[Subject]:
    """The same, for a client that asks for the origin by name: "direct" is a captured one."""
    folder, target = lab.folder_of("captured"), f"{ORIGIN_NAME}:{lab.origin.partition(':')[2]}"
    options = ["--allow", target, "--resolve", f"{ORIGIN_NAME}=127.0.0.1"]
    options += ["--allow-private", "127.0.0.0/8", *_gateway_options(lab, folder)]
    command = [*PROXY_CORE, *NETPROXY_COMMAND, "run", *options, "--"]
    with load_client(lab.tools, target, folder, inside=command) as (client, pid):
        tree = Tree(root=pid, without="bwrap")
        ways = {"connect": _INSIDE_HTTP, "direct": target, "dns": _INSIDE_DNS}
        yield Subject(name=ORIGIN_NAME, client=client, ways=ways, tree=tree)
    _check_record(folder / "audit", kept=True)


def _gateway_options(lab: Lab, folder: Path) -> list[str]:
    """Nothing but the origins is allowed; the default journal, nobody to ask."""
    configuration = folder / "config.toml"
    configuration.write_text(_CONFIGURATION)
    audit = str(folder / "audit")
    options = [
        "--allow",
        lab.origin,
        "--allow",
        lab.quiet_origin,
        "--ask",
        "never",
        "--audit-dir",
        audit,
    ]
    return [*options, "--config", str(configuration), "--no-project"]


def _check_record(folder: Path, *, kept: bool) -> None:
    """A row that records must have recorded, and the one that doesn't must not have."""
    found = any(_DECISION in line for each in folder.glob("*/*.jsonl") for line in each.open("rb"))
    if found is not kept:
        raise BenchFailed(f"decisions in {folder}: {found}, expected {kept}")


@contextmanager
def _peer(peer: Peer, lab: Lab) -> Iterator[Subject]:
    folder = lab.folder_of(peer.name)
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
    place = Place(folder=folder, port=free_port(), socks_port=free_port(), origin=lab.origin)
    ways = peer.ways(place)
    command = [*PROXY_CORE, peer.find() or peer.program, *peer.arguments(place)]
    ports = sorted({int(address.rpartition(":")[2]) for address in ways.values()})
    with (
        started(command, ports, folder) as pid,
        load_client(lab.tools, lab.origin, folder) as (client, _),
    ):
        yield Subject(name=peer.name, client=client, ways=ways, tree=Tree(root=pid))


def starts() -> tuple[dict[str, Start], list[str]]:
    """What can be started here, in the table's order, and a line for each peer that can't."""
    found: dict[str, Start] = {
        NO_PROXY: no_proxy,
        RELAY: relay,
        BARE_LOOP: bare_loop,
        NETPROXY: netproxy,
        INSIDE: inside,
        UNRECORDED: unrecorded,
    }
    missing = []
    for peer in PEERS:
        if peer.find() is None:
            missing.append(f"{peer.name} is left out, it is not installed; type: {peer.install}")
        else:
            found[peer.name] = partial(_peer, peer)
    return found, missing
