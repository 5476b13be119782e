"""Real runs under a managed file, a user's, a project's and the command line's rules."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be the administrator")


def managed(person: Person, base: Path, text: str, mode: int = 0o644) -> Netproxy:
    """A machine whose /etc has that file: an overlay in a mount namespace of the person's own."""
    folder = base / "etc" / "netproxy"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "requirements.toml"
    file.write_text(text)
    file.chmod(mode)
    layers = f"lowerdir={shlex.quote(str(folder.parent))}:/etc"
    mount = f'mount -t overlay overlay -o {layers} /etc && exec "$@"'
    prefix = ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh")
    return Netproxy(replace(person, prefix=(*prefix, *person.prefix)), base)


def test_nobody_gets_round_the_managed_denials(person: Person, base: Path) -> None:
    with Site() as site:
        netproxy = managed(person, base, "[network]\ndeny = ['site.test']\n")
        done = netproxy.run(
            *named("site.test"), "--allow", f"site.test:{site.port}", "--allow", "*:*",
            command=["curl", "-sS", f"http://site.test:{site.port}/"],
        )  # fmt: skip
        assert site.visits == []
    assert done.status == 77
    assert "denied by rule site.test (requirements.toml:2)" in done.err


def test_outside_the_ceiling_nobody_is_even_asked(person: Person, base: Path) -> None:
    netproxy = managed(person, base, "[network]\nallow = ['**.example.org']\n")
    done = netproxy.run(command=["curl", "-sS", "https://example.com/"])
    assert done.status == 77
    assert "example.com:443 is outside what the managed settings let anybody allow" in done.err
    assert netproxy.events("netproxy.approval.requested") == []


def test_what_goes_beyond_a_bound_names_both_places(person: Person, base: Path) -> None:
    text = "[network]\nallow = ['**.example.org']\n[sandbox]\nrequired = true\n"
    netproxy = managed(person, base, text)
    done = netproxy.run("--allow", "example.com", "--no-sandbox", command=["true"])
    file = "/etc/netproxy/requirements.toml"
    assert (done.status, done.out) == (78, "")
    assert done.err == (
        f"netproxy run: --allow #1: example.com is outside what {file}:2:1 network.allow "
        "lets anybody allow\n"
        f"netproxy run: --no-sandbox: {file}:4:1 sandbox.required demands a sandbox\n"
    )


def test_a_managed_file_that_others_can_write_stops_everything(person: Person, base: Path) -> None:
    done = managed(person, base, "", mode=0o666).run(command=["true"])
    assert done.status == 78
    assert "must belong to root" in done.err


def test_a_project_narrows_what_its_user_allows(person: Person, base: Path) -> None:
    with Site() as site:
        netproxy = managed(person, base, "")
        (netproxy.config / "netproxy").mkdir()
        (netproxy.config / "netproxy" / "config.toml").write_text(
            f"[profiles.mine.network]\nallow = ['a.test:{site.port}', 'b.test:{site.port}']\n"
        )
        project = netproxy.workspace / "netproxy.toml"
        project.write_text("[profiles.theirs.network]\ndeny = ['b.test']\n")
        assert netproxy("trust", "--yes").status == 0
        get = ["curl", "-sS"]
        names = (*named("a.test"), *named("b.test"))
        allowed = netproxy.run(*names, command=[*get, f"http://a.test:{site.port}/"])
        denied = netproxy.run(*names, command=[*get, f"http://b.test:{site.port}/"])
    assert (allowed.status, allowed.out) == (0, "hello\n"), allowed.err
    assert denied.status == 77
    assert "denied by rule b.test (netproxy.toml:2)" in denied.err
