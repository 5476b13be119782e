"""The proxies that ours stands beside, one entry each: allow rule, default log, own folder.

Each is started on loopback as a child, and lets through one origin, as narrowly as its rules can
say that: tinyproxy's and mitmdump's know no ports, and mitmdump's none of tunnels. To add one: an
entry in `PEERS`, a name in `bench/figures.py`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figures import DANTE, MITMDUMP, SQUID, TINYPROXY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Debian has the servers in /usr/sbin, which is not on an ordinary user's path.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
# Whom servers become that root has started; their folder is that user's.
UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a peer lives while it is measured."""

    folder: Path  # its log, caches and configuration; any user may write there
    port: int  # where it listens; HTTP if it speaks that
    socks_port: int  # SOCKS5, if it has a port of its own for that
    origin: str  # the one destination that it lets through: host and port
    is_root: bool = os.geteuid() == 0  # whether it has to be told whom to become

    @property
    def origin_host(self) -> str:
        """The address of the origin."""
        return self.origin.rpartition(":")[0]

    @property
    def origin_port(self) -> str:
        """Its port."""
        return self.origin.rpartition(":")[2]

    def write(self, name: str, text: str) -> str:
        """Write a configuration file; its path."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return str(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One proxy: what it is called, how it is installed, started and spoken to."""

    name: str
    program: str
    install: str  # the command that a reader can paste
    arguments: Callable[[Place], list[str]]  # may write files into the place
    speaks: frozenset[str]  # of `pxbench -p`: connect, abs, socks5
    has_socks_port: bool = False  # beside that for HTTP

    def find(self) -> str | None:
        """Where its program is; None: not installed."""
        return shutil.which(self.program, path=SEARCH_PATH)

    def ways(self, place: Place) -> dict[str, str]:
        """Each protocol that it speaks, and where."""
        ports = {"socks5": place.socks_port if self.has_socks_port else place.port}
        return {way: f"127.0.0.1:{ports.get(way, place.port)}" for way in sorted(self.speaks)}


def squid_configuration(place: Place) -> str:
    """Squid as it comes, but for its cache: no other proxy here has one."""
    user = f"cache_effective_user {UNPRIVILEGED}\n" if place.is_root else ""
    return f"""\
{user}http_port 127.0.0.1:{place.port}
acl origin dst {place.origin_host}
acl origin_port port {place.origin_port}
http_access allow origin origin_port
http_access deny all
cache deny all
access_log daemon:{place.folder}/access.log squid
cache_log {place.folder}/cache.log
netdb_filename none
pid_filename {place.folder}/squid.pid
coredump_dir {place.folder}
max_filedescriptors 8192
pinger_enable off
shutdown_lifetime 0 seconds
"""


def tinyproxy_configuration(place: Place) -> str:
    """Write the rule as a filter that denies by default."""
    host = place.origin_host.replace(".", r"\.")
    allowed = place.write("allowed", f"^{host}$\n")
    user = f"User {UNPRIVILEGED}\n" if place.is_root else ""
    return f"""\
{user}Listen 127.0.0.1
Port {place.port}
Timeout 600
MaxClients 4096
Allow 127.0.0.0/8
ConnectPort {place.origin_port}
Filter "{allowed}"
FilterDefaultDeny Yes
LogFile "{place.folder}/tinyproxy.log"
LogLevel Info
PidFile "{place.folder}/tinyproxy.pid"
"""


def dante_configuration(place: Place) -> str:
    """Write the rules as the example has them that comes with it, with its log lines."""
    user = f"user.privileged: root\nuser.unprivileged: {UNPRIVILEGED}\n" if place.is_root else ""
    return f"""\
logoutput: {place.folder}/danted.log
internal: 127.0.0.1 port = {place.port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
{user}client pass {{
    from: 127.0.0.0/8 to: 0.0.0.0/0
    log: error
}}
socks pass {{
    from: 127.0.0.0/8 to: {place.origin_host}/32 port = {place.origin_port}
    command: connect
    log: error connect disconnect
}}
"""


def mitmdump_arguments(place: Place) -> list[str]:
    """Pass TLS through, and every tunnel else: what it does beyond that nobody else does."""
    host = place.origin_host.replace(".", r"\.")
    return [
        *("--mode", f"regular@127.0.0.1:{place.port}"),
        *("--mode", f"socks5@127.0.0.1:{place.socks_port}"),
        *("--set", f"confdir={place.folder}", "--set", "flow_detail=1"),
        *("--set", f"block_list=/!~d ^{host}$/403"),
        *("--ignore-hosts", f"^{host}:{place.origin_port}$"),
    ]


PEERS = (
    Peer(
        name=SQUID,
        program="squid",
        install="sudo apt-get install squid",
        arguments=lambda place: ["-N", "-f", place.write("squid.conf", squid_configuration(place))],
        speaks=frozenset({"connect", "abs"}),
    ),
    Peer(
        name=TINYPROXY,
        program="tinyproxy",
        install="sudo apt-get install tinyproxy",
        arguments=lambda place: [
            "-d",
            "-c",
            place.write("tinyproxy.conf", tinyproxy_configuration(place)),
        ],
        speaks=frozenset({"connect", "abs"}),
    ),
    Peer(
        name=DANTE,
        program="danted",
        install="sudo apt-get install dante-server",
        arguments=lambda place: ["-f", place.write("danted.conf", dante_configuration(place))],
        speaks=frozenset({"socks5"}),
    ),
    Peer(
        name=MITMDUMP,
        program="mitmdump",
        install="pipx install mitmproxy",
        arguments=mitmdump_arguments,
        speaks=frozenset({"connect", "abs", "socks5"}),
        has_socks_port=True,
    ),
)
