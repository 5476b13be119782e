"""The network tools whose row of the environment table is tested: how each fetches one page.

`alone` lists sets of variables of which each is enough by itself.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.packages import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

_ANY = (("HTTPS_PROXY",), ("https_proxy",), ("ALL_PROXY",), ("all_proxy",))
_HTTPS = (("HTTPS_PROXY",), ("https_proxy",))
# The first of each line that knows NODE_USE_ENV_PROXY (nodejs.org, "Enterprise network").
_NODE_LINES = {22: 21, 24: 5}
# A pinned release: it comes from npm's registry, as files only, and is run inside the sandbox only.
_NODE_RELEASE = "24.9.0"
# A cold download is 50 MB.
_DOWNLOAD_SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Where a client shall go, and the file of those whom it shall trust."""

    site: str
    bundle: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """`visit` is the page that must have been fetched; `protocol` is what the journal calls it."""

    name: str
    command: Callable[[Errand], list[str]]
    alone: tuple[tuple[str, ...], ...]
    scheme: str = "https"
    protocol: str = "https"
    visit: str = "/page"
    program: str = ""
    environment: tuple[tuple[str, str], ...] = ()


def _python(code: str) -> Callable[[Errand], list[str]]:
    return lambda errand: [sys.executable, "-I", "-c", code, f"{errand.site}/page"]


_URLLIB = "import sys, urllib.request as u; u.urlopen(sys.argv[1]).read()"
_REQUESTS = "import sys, requests; requests.get(sys.argv[1]).raise_for_status()"
_HTTPX = "import sys, httpx; httpx.get(sys.argv[1]).raise_for_status()"
# aiohttp reads proxy variables only for a session made with trust_env=True; without it the name
# is looked up inside the sandbox, which fails.
_AIOHTTP = """
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession(trust_env=True, raise_for_status=True) as session:
        async with session.get(sys.argv[1]) as response:
            await response.read()
asyncio.run(main())
"""
_FETCH = "fetch(process.argv[1]).then(r => r.text()).catch(e => { throw e })"


def _curl(errand: Errand) -> list[str]:
    return ["curl", "-sS", "--fail", f"{errand.site}/page"]


def _wget(errand: Errand) -> list[str]:
    trust = f"--ca-certificate={errand.bundle}"
    return ["wget", "-q", "-O", "/dev/null", "--tries=1", trust, f"{errand.site}/page"]


def _git(errand: Errand) -> list[str]:
    return ["git", "clone", "-q", f"{errand.site}/repo.git", "copy"]


def _pip(errand: Errand) -> list[str]:
    options = ("--no-cache-dir", "--retries=0", "--disable-pip-version-check", "--no-deps")
    index = f"--index-url={errand.site}/simple/"
    return [sys.executable, "-m", "pip", "download", "-q", *options, index, NAME]


def _npm(verb: str) -> Callable[[Errand], list[str]]:
    return lambda errand: ["npm", verb, NAME, "--registry", errand.site, "--fetch-retries=0"]


def _node(errand: Errand) -> list[str]:
    return ["node", "-e", _FETCH, f"{errand.site}/page"]


_NPM = (("npm_config_cache", "/tmp/npm"), ("npm_config_update_notifier", "false"))
# Whatever index the machine's own files name is none of this test's.
_PIP = (("PIP_CONFIG_FILE", os.devnull),)
_NPM_ALONE = (("npm_config_https_proxy",), ("NPM_CONFIG_HTTPS_PROXY",), *_HTTPS)
_NODE_ALONE = (("NODE_USE_ENV_PROXY", "HTTPS_PROXY"), ("NODE_USE_ENV_PROXY", "https_proxy"))

CLIENTS = (
    Client(name="curl", program="curl", command=_curl, alone=_ANY),
    Client(
        name="curl-http",
        program="curl",
        command=_curl,
        scheme="http",
        protocol="http",
        # Not HTTP_PROXY: a CGI script gets that name from a request's Proxy field (httpoxy).
        alone=(("http_proxy",), ("ALL_PROXY",), ("all_proxy",)),
    ),
    Client(name="wget", program="wget", command=_wget, alone=(("https_proxy",),)),
    Client(
        name="wget-http",
        program="wget",
        command=_wget,
        scheme="http",
        protocol="http",
        alone=(("http_proxy",),),
    ),
    Client(name="git", program="git", command=_git, alone=_ANY, visit="/repo.git/info/refs"),
    Client(
        name="pip",
        command=_pip,
        alone=(("PIP_PROXY",), *_HTTPS),
        visit="/files/netproxy_tiny-1.0-py3-none-any.whl",
        environment=_PIP,
    ),
    Client(
        name="npm-view",
        program="npm",
        command=_npm("view"),
        alone=_NPM_ALONE,
        visit=f"/{NAME}",
        environment=_NPM,
    ),
    Client(
        name="npm-pack",
        program="npm",
        command=_npm("pack"),
        alone=(("npm_config_https_proxy",),),
        visit=f"/{NAME}/-/{NAME}-1.0.0.tgz",
        environment=_NPM,
    ),
    Client(
        name="npm-http",
        program="npm",
        command=_npm("view"),
        scheme="http",
        protocol="http",
        alone=(("npm_config_proxy",), ("NPM_CONFIG_PROXY",), ("http_proxy",), ("HTTP_PROXY",)),
        visit=f"/{NAME}",
        environment=_NPM,
    ),
    Client(name="urllib", command=_python(_URLLIB), alone=_HTTPS),
    Client(name="requests", command=_python(_REQUESTS), alone=_ANY),
    Client(name="httpx", command=_python(_HTTPX), alone=_ANY),
    Client(name="aiohttp", command=_python(_AIOHTTP), alone=_HTTPS),
    Client(name="node-fetch", program="node", command=_node, alone=_NODE_ALONE),
    Client(
        name="node-fetch-http",
        program="node",
        command=_node,
        scheme="http",
        # Node's fetch opens a CONNECT tunnel for plain requests too.
        protocol="https",
        alone=(("NODE_USE_ENV_PROXY", "http_proxy"),),
    ),
)


def search_path(client: Client) -> str:
    """A PATH on which the client is found. Skips the test where it can't be had."""
    path = os.environ.get("PATH", os.defpath)
    if client.program == "node":
        return f"{_modern_node()}:{path}"
    if client.program and shutil.which(client.program) is None:
        pytest.skip(f"{client.program} is not installed")
    return path


def _modern_node() -> Path:
    """A folder with a node that knows NODE_USE_ENV_PROXY: the machine's own, else npm's."""
    found = shutil.which("node")
    if found is not None and _knows_env_proxy(found):
        return Path(found).parent
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netproxy-tests"
    folder = cache / f"node-{_NODE_RELEASE}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the suite runs in several processes
        if not (folder / "node").exists():
            _download_node(folder)
    return folder


def _knows_env_proxy(node: str) -> bool:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None:
        return False
    major, minor = int(version[1]), int(version[2])
    return minor >= _NODE_LINES[major] if major in _NODE_LINES else major > max(_NODE_LINES)


def _download_node(folder: Path) -> None:
    """One file stays; the rest of the package goes. Nothing of it is run here."""
    if shutil.which("npm") is None:
        pytest.skip("no node from 22.21 or 24.5 on, and no npm to fetch one")
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"node-linux-{machine}"
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
        folders = ("--cache", f"{place}/cache", "--prefix", place)
        command = ["npm", "install", *options, *folders, f"{package}@{_NODE_RELEASE}"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_DOWNLOAD_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip("no node from 22.21 or 24.5 on, and no registry gave one")
        folder.mkdir(exist_ok=True)
        Path(place, "node_modules", package, "bin", "node").rename(folder / "node")
