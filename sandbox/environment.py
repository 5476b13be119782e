"""The command's environment: one table of variables, by the tools that read them. Pure.

Everything here is convenience for well-behaved clients; what holds is the network namespace. What
the command gets of the caller's variables is decided in `sandbox.inheritance`.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.inheritance import RESERVED, EnvironmentPolicy, inherited, is_among

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sandbox.model import ProxyAddresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Variables with one value. `{http}` and `{socks}` are `host:port` of the run's listeners."""

    names: tuple[str, ...]
    value: str
    read_by: str


def _both_cases(*names: str) -> tuple[str, ...]:
    return tuple(case for name in names for case in (name.upper(), name.lower()))


PROXY_URL = "http://{http}"
_EVERYTHING_USUAL = EnvironmentPolicy()
_NOTHING: Mapping[str, str] = {}

TABLE = (
    Row(
        names=_both_cases("http_proxy", "https_proxy", "ftp_proxy", "ws_proxy", "wss_proxy"),
        value=PROXY_URL,
        read_by="curl, wget, git over https, pip, Python's urllib, requests, httpx and aiohttp, Go",
    ),
    Row(
        # Not socks5h: httpx raises ImportError on it without an extra package.
        names=_both_cases("all_proxy", "grpc_proxy"),
        value=PROXY_URL,
        read_by="curl, httpx; gRPC, whose core knows HTTP proxies only",
    ),
    Row(
        # An exception list would send clients around the proxy, into a namespace without routes.
        names=_both_cases("no_proxy"),
        value="",
        read_by="all of the above",
    ),
    Row(
        # Not npm_config_http_proxy: npm 11 knows no such setting and warns of it at each start.
        names=_both_cases("npm_config_proxy", "npm_config_https_proxy"),
        value=PROXY_URL,
        read_by="npm",
    ),
    Row(names=_both_cases("npm_config_noproxy"), value="", read_by="npm"),
    Row(names=("YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"), value=PROXY_URL, read_by="Yarn"),
    Row(names=("BUNDLE_HTTP_PROXY", "BUNDLE_HTTPS_PROXY"), value=PROXY_URL, read_by="Bundler"),
    Row(names=("BUNDLE_NO_PROXY",), value="", read_by="Bundler"),
    Row(names=("PIP_PROXY",), value=PROXY_URL, read_by="pip"),
    Row(names=("DOCKER_HTTP_PROXY", "DOCKER_HTTPS_PROXY"), value=PROXY_URL, read_by="Docker"),
    Row(names=("RSYNC_PROXY",), value="{http}", read_by="rsync, which wants no scheme"),
    Row(names=("CLOUDSDK_PROXY_TYPE",), value="http", read_by="gcloud"),
    Row(names=("CLOUDSDK_PROXY_ADDRESS",), value="{http_host}", read_by="gcloud"),
    Row(names=("CLOUDSDK_PROXY_PORT",), value="{http_port}", read_by="gcloud"),
    Row(names=("NODE_USE_ENV_PROXY",), value="1", read_by="Node's fetch from 22.21 and 24.5 on"),
    Row(names=("ELECTRON_GET_USE_PROXY",), value="true", read_by="Electron's installer"),
)
MARKERS = (
    Row(names=("NETPROXY",), value="1", read_by="whoever asks whether it is inside"),
    Row(names=("NETPROXY_RUN",), value="{run}", read_by="whoever quotes the run in a report"),
    Row(names=("NETPROXY_HTTP",), value="{http}", read_by="clients set up by hand"),
    Row(names=("NETPROXY_SOCKS",), value="{socks}", read_by="netproxy connect"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the command is executed with, and the names of the caller's that it does not get."""

    variables: Mapping[str, str]
    withheld: tuple[str, ...]


def child_environment(  # noqa: PLR0913  # what a run has of its own, and of its caller's
    parent: Mapping[str, str],
    *,
    addresses: ProxyAddresses,
    run_id: str,
    connect_command: tuple[str, ...],
    fenced: bool,
    policy: EnvironmentPolicy = _EVERYTHING_USUAL,
    ours: Mapping[str, str] = _NOTHING,
    usable: tuple[str, ...] = (),
    proxies: bool = True,
) -> Environment:
    """What the policy leaves of the caller's environment, with `ours` and the table on top.

    `connect_command` opens one tunnel when HOST and PORT are appended to it. Inside a fence /tmp is
    private, and a TMPDIR that points elsewhere would be read-only, so it is moved there. `usable`
    are unix sockets that can be reached from inside. Without `proxies` no client is told of one,
    the caller's neither: with it he would wait for a host that he can't reach.
    """
    http_host, _, http_port = addresses.http.rpartition(":")
    places = {
        "http": addresses.http,
        "socks": addresses.socks,
        "http_host": http_host,
        "http_port": http_port,
        "run": run_id,
    }
    kept = inherited(parent, policy, fenced=fenced, usable=usable)
    environment = dict(kept.variables)
    _set_proxies(environment, kept.explicit, places if proxies else None)
    for row in MARKERS:
        environment |= dict.fromkeys(row.names, row.value.format_map(places))
    environment |= ours
    if proxies:
        environment["GIT_SSH_COMMAND"] = _git_ssh(environment, connect_command)
    if fenced:
        moved = {"TMPDIR", "TEMP", "TMP"} & (environment.keys() - kept.explicit)
        environment |= dict.fromkeys(moved, "/tmp")  # noqa: S108  # the sandbox's own
    return Environment(
        variables=environment,
        withheld=tuple(sorted(parent.keys() - environment.keys())),
    )


def _set_proxies(
    environment: dict[str, str], explicit: Collection[str], places: Mapping[str, str] | None
) -> None:
    """Put the table's rows in, or take them out.

    A variable that was asked for by name is as it was asked for, in the other case too: clients
    differ in which of the two they obey, empty or not.
    """
    for row in TABLE:
        for name in row.names:
            if name in explicit:
                continue
            environment.pop(name, None)
            if (other := name.swapcase()) in explicit:
                environment[name] = environment[other]
            elif places is not None:
                environment[name] = row.value.format_map(places)


def joined_environment(outer: Mapping[str, str], policy: EnvironmentPolicy) -> dict[str, str]:
    """Inside a run: what leads to the gateway stays, whatever is chosen of the rest."""
    kept = inherited(outer, policy, fenced=True)
    ways = {"GIT_SSH_COMMAND", *(name for row in TABLE for name in row.names)} - kept.explicit
    led = {name: outer[name] for name in outer if name in ways or is_among(name, RESERVED)}
    said = {
        name: kept.variables[other] for name in ways if (other := name.swapcase()) in kept.explicit
    }
    return {**kept.variables, **led, **said}


def _git_ssh(parent: Mapping[str, str], connect_command: tuple[str, ...]) -> str:
    """The caller's ssh with our ProxyCommand; git lets a shell read this, and ssh another.

    Connection sharing is off: its socket is one that the kernel filter refuses.
    """
    ssh = parent.get("GIT_SSH_COMMAND") or shlex.quote(parent.get("GIT_SSH") or "ssh")
    inner = shlex.join(connect_command).replace("%", "%%") + " %h %p"
    options = (f"ProxyCommand={inner}", "ControlMaster=no", "ControlPath=none")
    return " ".join([ssh, *(f"-o {shlex.quote(option)}" for option in options)])
