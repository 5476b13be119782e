"""Package clients against the registries that this machine really uses, through a sandboxed run.

Which hosts those are, the tools' own configuration says when the test runs; no file of ours names
one, and no failure prints one. A tool that gets no answer without netproxy is skipped.
"""

from __future__ import annotations

import ast
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.runs import Done, Netproxy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.support.people import Person

pytestmark = pytest.mark.network

# Enough for a slow registry; without any network the tools fail at once.
ANSWER_SECONDS = 15.0
# Where a package's files are is known only when the index has said so.
HOSTS_TO_LEARN = 2
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY")
_FOLDERS_OF_THE_RUN = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HTTP_PROXY", "NO_PROXY")

type Destination = tuple[str, int]


class Registry:
    """One tool: what it runs, where its configuration leads it, what its environment is."""

    def __init__(
        self, command: Sequence[str], urls: Iterable[str], environment: Mapping[str, str]
    ) -> None:
        self.command = tuple(command)
        self.known = {_destination(url) for url in urls}
        self.environment = dict(environment)

    def answers(self, folder: Path) -> bool:
        """Whether the tool works from here without netproxy."""
        try:
            done = subprocess.run(
                self.command,
                capture_output=True,
                timeout=ANSWER_SECONDS,
                cwd=folder,
                env=self.environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def options(self) -> list[str]:
        """Rules for what is known, and for the private addresses that some of it may have."""
        allowed = [word for host, port in self.known for word in ("--allow", f"{host}:{port}")]
        blocks = {block for host, port in self.known for block in _private_blocks(host, port)}
        return [*allowed, *(word for block in blocks for word in ("--allow-private", block))]


def _destination(url: str) -> Destination:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def _private_blocks(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = {ipaddress.ip_address(str(row[4][0])) for row in found}
    return [f"{one}/{one.max_prefixlen}" for one in addresses if not one.is_global]


@pytest.fixture
def machine() -> dict[str, str]:
    """The environment as the tools here have it, but for what a run of the suite makes its own."""
    if any(os.environ.get(name) for name in PROXY_VARIABLES):
        pytest.skip("this machine reaches its registries through a proxy of its own")
    return {name: value for name, value in os.environ.items() if name not in _FOLDERS_OF_THE_RUN}


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def said(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=ANSWER_SECONDS, env=environment, check=True
    )
    return done.stdout.strip()


def run_and_learn(netproxy: Netproxy, registry: Registry) -> tuple[int, str]:
    """Run the tool; add the hosts that the journal says it lacked, as a person would."""
    outside = netproxy.person.owns(netproxy.workspace.parent / "outside")
    if not registry.answers(outside):
        pytest.skip("no package registry answers from this machine")
    done = run(netproxy, registry)
    for _ in range(HOSTS_TO_LEARN):
        lacked = set(destinations(netproxy, "deny")) - registry.known
        if not lacked:
            break
        registry.known |= lacked
        done = run(netproxy, registry)
    return done.status, done.out


def run(netproxy: Netproxy, registry: Registry) -> Done:
    return netproxy.run(
        *registry.options(),
        *("--ask", "never", "--on-denial", "block"),
        command=registry.command,
        environment=registry.environment,
    )


def destinations(netproxy: Netproxy, decision: str) -> list[Destination]:
    return [
        (event["server.address"], event["server.port"])
        for event in netproxy.decisions()
        if event["network.policy.decision"] == decision
    ]


def is_recorded(netproxy: Netproxy, registry: Registry, protocols: set[str]) -> bool:
    """Whether every destination that rules were made for is in the journal as allowed by them."""
    allowed = [
        event for event in netproxy.decisions() if event["network.policy.decision"] == "allow"
    ]
    reasons = {event["network.policy.reason"] for event in allowed}
    spoken = {event["network.transport.protocol"] for event in allowed}
    reached = set(destinations(netproxy, "allow"))
    return reached == registry.known and reasons == {"allowed_by_rule"} and spoken <= protocols


def test_pip_downloads_a_package(netproxy: Netproxy, machine: dict[str, str]) -> None:
    environment = machine | _pip_settings(machine)
    options = ("--no-cache-dir", "--no-deps", "--retries=0", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "download", "-q", *options, "-d", "got", "six"]
    registry = Registry(command, [environment["PIP_INDEX_URL"]], environment)
    status, _ = run_and_learn(netproxy, registry)
    assert status == 0
    assert list((netproxy.workspace / "got").glob("six-*"))
    assert is_recorded(netproxy, registry, {"https", "http"})


def _pip_settings(machine: Mapping[str, str]) -> dict[str, str]:
    """What pip's files and environment say of the index, without folders that would spare it."""
    python = (sys.executable, "-m", "pip", "config", "list")
    pairs = [line.partition("=") for line in said(python, machine).splitlines()]
    found = {key.split(".")[-1]: str(ast.literal_eval(value)) for key, _, value in pairs}
    if "proxy" in found:
        pytest.skip("this machine reaches its registries through a proxy of its own")
    builtin = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    index = found.get("index-url") or said((sys.executable, "-c", builtin), machine)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index}
    settings |= {"PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_NO_INDEX": "0"}
    named = ("cert", "client-cert", "trusted-host")
    return settings | {
        f"PIP_{key.upper().replace('-', '_')}": found[key] for key in named if key in found
    }


def test_npm_views_a_package(netproxy: Netproxy, machine: dict[str, str]) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    cache = str(netproxy.workspace / "npm")
    environment = machine | {"npm_config_cache": cache, "npm_config_fetch_retries": "0"}
    environment["npm_config_update_notifier"] = "false"
    proxies = [said(("npm", "config", "get", key), environment) for key in ("https-proxy", "proxy")]
    if set(proxies) - {"null", ""}:
        pytest.skip("this machine reaches its registries through a proxy of its own")
    # An answer from the cache would prove nothing.
    command = ["npm", "view", "is-number", "version", "--prefer-online"]
    url = said(("npm", "config", "get", "registry"), environment)
    registry = Registry(command, [url], environment)
    status, out = run_and_learn(netproxy, registry)
    assert status == 0
    assert out.strip().count(".") == 2, "a version"
    assert is_recorded(netproxy, registry, {"https", "http"})


def test_apt_get_updates(netproxy: Netproxy, machine: dict[str, str]) -> None:
    """With the options that a sandbox with one uid and a read-only root needs."""
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not installed")
    configuration = said(("apt-config", "dump"), machine).lower()
    if "acquire::http::proxy" in configuration or "acquire::https::proxy" in configuration:
        pytest.skip("this machine reaches its registries through a proxy of its own")
    urls = said(("apt-get", "indextargets", "--format", "$(REPO_URI)"), machine).split()
    remote = [url for url in urls if url.startswith(("http:", "https:"))]
    if not remote:
        pytest.skip("apt has no source on the network")
    (netproxy.workspace / "lists" / "partial").mkdir(parents=True)
    settings = (
        "APT::Sandbox::User=root",
        f"Dir::State::lists={netproxy.workspace}/lists",
        f"Dir::Cache={netproxy.workspace}/cache",
        "APT::Update::Error-Mode=any",  # else a failed download is but a warning
        "Acquire::Retries=0",
    )
    command = ["apt-get", "-q", *(word for line in settings for word in ("-o", line)), "update"]
    registry = Registry(command, remote, machine)
    status, _ = run_and_learn(netproxy, registry)
    assert status == 0
    assert is_recorded(netproxy, registry, {"https", "http"})
