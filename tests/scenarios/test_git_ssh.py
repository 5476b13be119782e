"""git over ssh leaves the sandbox through `netproxy connect`, with a real sshd at the other end."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.packages import bare_repository
from tests.support.people import ordinary_user
from tests.support.runs import NETPROXY, Done, Netproxy
from tests.support.sites import named
from tests.support.sshd import Sshd, sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

HOST = "git.test"
REPOSITORY = "my repo.git"


pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def server(person: Person, base: Path) -> Iterator[Sshd]:
    bare_repository(base / REPOSITORY)
    with sshd(base / "sshd", reader=person.uid) as running:
        yield running


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def ssh_command(server: Sshd) -> str:
    """The caller's own ssh, as a person with a key in an unusual place would set it."""
    options = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={server.known_hosts}")
    words = ["ssh", "-i", str(server.key), *(word for line in options for word in ("-o", line))]
    return shlex.join(words)


def clone(
    netproxy: Netproxy,
    server: Sshd,
    base: Path,
    *options: str,
    host: str = HOST,
    known: tuple[str, ...] = named(HOST),
) -> Done:
    place = str(base / REPOSITORY).replace(" ", "%20")
    url = f"ssh://{server.login}@{host}:{server.port}{place}"
    return netproxy.run(
        *known,
        *options,
        "--ask",
        "never",
        command=["git", "clone", "-q", url, "copy"],
        environment={"GIT_SSH_COMMAND": ssh_command(server)},
    )


def assert_cloned(netproxy: Netproxy, done: Done) -> None:
    """What the server itself says (of a missing home, say) is not ours to judge."""
    assert (done.status, done.out) == (0, ""), done.err
    assert "netproxy connect" not in done.err
    assert (netproxy.workspace / "copy" / "README").read_text() == "hello\n"


def test_an_allowed_host_is_cloned_from_and_recorded(
    netproxy: Netproxy, server: Sshd, base: Path
) -> None:
    done = clone(netproxy, server, base, "--allow", f"{HOST}:{server.port}")
    assert_cloned(netproxy, done)
    (decision,) = netproxy.decisions()
    assert decision["server.address"] == HOST
    assert decision["server.port"] == server.port
    assert decision["network.transport.protocol"] == "socks5-tcp"
    assert decision["network.policy.decision"] == "allow"


def test_a_rule_for_web_pages_is_none_for_ssh(netproxy: Netproxy, server: Sshd, base: Path) -> None:
    done = clone(netproxy, server, base, "--allow", f"https://{HOST}:{server.port}")
    assert done.status == 77
    assert f"socks5-tcp://{HOST}:{server.port}" in done.err
    assert not (netproxy.workspace / "copy" / "README").exists()  # the rest is git's to tidy up


def test_blocked_git_says_who_refused(netproxy: Netproxy, server: Sshd, base: Path) -> None:
    done = clone(netproxy, server, base, "--on-denial", "block")
    assert done.status == 128, "git's own"
    assert f"netproxy connect: {HOST}:{server.port}: refused by policy" in done.err
    (decision,) = netproxy.decisions()
    assert decision["network.policy.decision"] == "deny"
    assert decision["network.policy.reason"] == "not_allowed"


def test_a_host_that_does_not_answer_cancels_nothing(me: Person, base: Path) -> None:
    """A failure upstream is no denial; git hears which it was."""
    nobody = named(HOST, address="127.0.0.2")  # the server listens on 127.0.0.1 alone
    with sshd(base / "sshd") as server:
        rule = ("--allow", f"{HOST}:{server.port}")
        done = clone(Netproxy(me, base), server, base, *rule, known=nobody)
    assert done.status == 128, "git's own"
    assert f"netproxy connect: {HOST}:{server.port}: connection refused" in done.err


class Installed(Netproxy):
    """The same program, through another path to its interpreter."""

    def __init__(self, person: Person, folder: Path, prefix: Path) -> None:
        super().__init__(person, folder)
        self._python = str(prefix / "bin" / "python")

    def argv(self, *words: str) -> list[str]:
        return [*self.person.prefix, self._python, *NETPROXY[1:], *words]


def test_an_installation_with_unusual_characters_in_its_path(me: Person, base: Path) -> None:
    """git gives the command to a shell, ssh gives the ProxyCommand to another and expands `%`."""
    odd = base / "it's 100% $HOME; tools"
    odd.symlink_to(sys.prefix)
    bare_repository(base / REPOSITORY)
    with sshd(base / "sshd") as server:
        rule = ("--allow", f"{HOST}:{server.port}")
        netproxy = Installed(me, base, odd)
        done = clone(netproxy, server, base, *rule)
    assert_cloned(netproxy, done)


def test_a_literal_ipv6_address(me: Person, base: Path) -> None:
    bare_repository(base / REPOSITORY)
    netproxy = Netproxy(me, base)
    with sshd(base / "sshd", address="::1") as server:
        rule = ("--allow", f"[::1]:{server.port}")
        done = clone(netproxy, server, base, *rule, host="[::1]", known=())
    assert_cloned(netproxy, done)
    (decision,) = netproxy.decisions()
    assert decision["server.address"] == "::1"


def test_ssh_reads_its_included_configuration_as_an_ordinary_user(base: Path) -> None:
    """It refuses included files that seem to be nobody's, as root's do in a user namespace."""
    if os.getuid() != 0:
        pytest.skip("putting a file into /etc needs root (in a mount namespace of its own)")
    person = ordinary_user(base)
    *enter, script, name = person.prefix
    drop_in = (
        "mount -t tmpfs tmpfs /etc/ssh/ssh_config.d\n"
        "printf 'Host drop-in.test\\n Port 2222\\n' > /etc/ssh/ssh_config.d/20-x.conf\n"
    )
    netproxy = Netproxy(replace(person, prefix=(*enter, drop_in + script, name)), base)
    done = netproxy.run("--ask", "never", command=["ssh", "-G", "drop-in.test"])
    assert done.status == 0, done.err
    assert "port 2222" in done.out
