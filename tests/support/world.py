"""A small internet for the README: its names, its web, and one person at a terminal.

Run as a program inside network and mount namespaces of its own (`enter`). There, every address of
one public block is this machine (AnyIP: a local route, no interface), /etc/hosts knows the names,
and origins answer on ports 80 and 443. So an example runs as it is printed, offline.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from netproxy.app.demo import screen
from netproxy.app.demo.person import Person
from netproxy.app.demo.site import Site
from tests.support.packages import NAME, bare_repository, git_pages, python_index
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).resolve().parents[2]
# Public as the policy sees it, so that no example needs --allow-private.
_BLOCK, _ADDRESS = "93.184.215.0/24", "93.184.215.14"
_NAMES = ("example.org", "example.com", "pypi.org", "files.pythonhosted.org", "github.com")
_SET_UP = (
    "ip link set lo up && ip route add local {block} dev lo && mount --bind {hosts} /etc/hosts"
)
# The question is deaf for half a second.
_READING_SECONDS = 1.2
_QUESTION = "left to answer: "
_COLUMNS = 160
_WHOLE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command line, the files beside it, and the keys for the questions that it raises."""

    line: str
    keys: str = ""


def can_enter() -> str | None:
    """Why there can be no such world here, or None."""
    for program in ("unshare", "ip", "openssl", "git", "curl"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    done = subprocess.run([*_unshare(), "true"], capture_output=True, check=False)
    return "this user may not make namespaces" if done.returncode else None


def enter(folder: Path, typed: Sequence[Typed]) -> list[str]:
    """What the terminal showed for each command line, typed one after the other."""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{_ADDRESS} {' '.join(_NAMES)}\n")
    (folder / "typed.json").write_text(json.dumps([asdict(one) for one in typed]))
    set_up = _SET_UP.format(block=_BLOCK, hosts=hosts)
    program = [sys.executable, "-m", "tests.support.world", str(folder)]
    done = subprocess.run(
        [*_unshare(), "sh", "-c", f'{set_up} && exec "$@"', "sh", *program],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(_ROOT)},
        timeout=_WHOLE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown: list[str] = json.loads(done.stdout)
    return shown


def _unshare() -> tuple[str, ...]:
    as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
    return ("unshare", *as_root, "--net", "--mount", "--propagation", "private")


class _World:
    """Everything inside: the origins, and the person's folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workspace = folder / "workspace"
        self._stack = ExitStack()
        self._authority = make_authority(folder, *_NAMES)

    def __enter__(self) -> Self:
        plain, secure = Site("0.0.0.0", 80), Site("0.0.0.0", 443)
        secure._server.socket = self._authority.server_context().wrap_socket(
            secure._server.socket, server_side=True
        )
        pages = self._pages()
        for site in (plain, secure):
            site.pages.update(pages)
            self._stack.enter_context(site)
        self._workspace.mkdir()
        (self._workspace / "requirements.txt").write_text(f"{NAME}\n")
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _pages(self) -> dict[tuple[str, str], bytes]:
        sources = self._folder / "sources"
        sources.mkdir()
        repository = git_pages(bare_repository(sources / "tool.git"), "/example/tool.git")
        moved = b'href="https://files.pythonhosted.org/files/'
        index = {
            path: page.replace(b'href="/files/', moved) if path.endswith("/") else page
            for path, page in python_index().items()
        }
        return {
            **{(name, "/"): b"It works.\n" for name in ("example.org", "example.com")},
            **{("github.com", path): page for path, page in repository.items()},
            **{("pypi.org", path): page for path, page in index.items()},
            **{("files.pythonhosted.org", path): page for path, page in index.items()},
        }

    def type(self, typed: Typed) -> str:
        """What the screen shows until the command line ended."""
        with Person(
            ["bash", "-c", typed.line],
            folder=self._workspace,
            environment=self._environment(),
            columns=_COLUMNS,
        ) as person:
            for number, key in enumerate(typed.keys, start=1):
                asked = f"(?s)(?:{_QUESTION}.*?netproxy: .*?){{{number - 1}}}{_QUESTION}"
                while not re.search(asked, person.screen) and person.sees(_QUESTION):
                    person._read(0.1)
                time.sleep(_READING_SECONDS)
                person.presses(key)
            person.leaves()
            return "\n".join(screen.lines(person.screen, colours=False))

    def _environment(self) -> dict[str, str]:
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "NO_COLOR": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "GIT_CONFIG_NOSYSTEM": "1",
            **self._authority.trust(),
        }


def main() -> None:
    """Type everything that the folder lists; print what was shown, as JSON."""
    folder = Path(sys.argv[1])
    typed = [Typed(**one) for one in json.loads((folder / "typed.json").read_text())]
    with _World(folder) as world:
        json.dump([world.type(one) for one in typed], sys.stdout)


if __name__ == "__main__":
    main()
