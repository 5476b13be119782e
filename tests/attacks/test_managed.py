"""Who is bounded tries to be rid of the bounds: the person who starts the run, and the command.

The defences: the managed file has one fixed place, belongs to root, and is read before anything
else; what it denies stands first among the rules, and what goes beyond it does not start; inside
the sandbox its folder is hidden. Each test was seen to fail without its defence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.administrators import ONLY_ROOT, managed
from tests.support.people import ordinary_user
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person
    from tests.support.runs import Done, Netproxy

pytestmark = ONLY_ROOT

BOUNDS = "[network]\ndeny = ['site.test']\n"


@pytest.fixture
def netproxy(ordinary: Person, base: Path) -> Netproxy:
    return managed(ordinary, base, BOUNDS)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def attempt(netproxy: Netproxy, site: Site, *options: str, **environment: str) -> Done:
    """Everything that a person can say for a yes, and what the options add."""
    return netproxy.run(
        *named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never", *options,
        command=["curl", "-sS", f"http://site.test:{site.port}/"],
        environment=environment,
    )  # fmt: skip


def refused(done: Done, site: Site) -> bool:
    return (
        done.status == 77
        and "denied by rule site.test (requirements.toml:2)" in done.err
        and site.visits == []
    )


def test_without_the_file_the_same_words_reach_the_site(
    person: Person, base: Path, site: Site
) -> None:
    """Else the tests below would prove nothing."""
    assert attempt(managed(person, base, ""), site).out == "hello\n"


_VARIABLES = (
    "HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_DIRS", "XDG_STATE_HOME",
    "NETPROXY_CONFIG", "NETPROXY_CONFIG_DIR", "NETPROXY_ETC", "NETPROXY_HOME",
    "NETPROXY_MANAGED", "NETPROXY_MANAGED_FILE", "NETPROXY_REQUIREMENTS",
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP",
)  # fmt: skip


@pytest.mark.parametrize("unset", [(), ("XDG_CONFIG_HOME", "XDG_STATE_HOME")], ids=["xdg", "home"])
def test_no_variable_leads_to_another_file(
    netproxy: Netproxy, site: Site, unset: tuple[str, ...]
) -> None:
    """Each names a folder with a file of that name, which bounds nothing.

    All at once, and once without those that would go before HOME.
    """
    mine = netproxy.person.owns(netproxy.workspace.parent / "mine")
    for place in (".", "netproxy", ".config/netproxy", "etc/netproxy"):
        (netproxy.person.owns(mine / place) / "requirements.toml").write_text("")
    values = dict.fromkeys(_VARIABLES, str(mine)) | dict.fromkeys(unset, "")
    assert refused(attempt(netproxy, site, **values), site)


def test_no_file_of_the_persons_own_takes_it_back(netproxy: Netproxy, site: Site) -> None:
    mine = netproxy.person.owns(netproxy.workspace.parent / "mine") / "mine.toml"
    allows = f"allow = ['site.test:{site.port}', '*:*']\ndefault = 'allow'\n"
    mine.write_text(f"[profiles.p.network]\n{allows}[projects]\nallow = ['*:*']\n")
    (netproxy.workspace / "netproxy.toml").write_text(f"[profiles.p.network]\n{allows}")
    assert netproxy("trust", "--yes", "--config", str(mine)).status == 0
    assert refused(attempt(netproxy, site, "--config", str(mine)), site)
    assert refused(attempt(netproxy, site, "--config", str(mine), "--no-project"), site)


def test_nobody_turns_the_look_at_server_names_off(person: Person, base: Path, site: Site) -> None:
    """Domain fronting would be on record only."""
    netproxy = managed(person, base, "[network]\nsni = 'refuse'\n")
    mine = netproxy.person.owns(netproxy.workspace.parent / "mine") / "mine.toml"
    mine.write_text("[profiles.p.network]\nsni = 'record'\n")
    done = attempt(netproxy, site, "--config", str(mine), "--profile", "p")
    assert (done.status, site.visits) == (78, [])
    assert "requirements.toml:2:1 network.sni allows at most 'refuse'" in done.err


@pytest.mark.parametrize("spelling", ["SITE.test", "site.test.", "\uff53ite.test"])
def test_no_spelling_of_the_name_passes(netproxy: Netproxy, site: Site, spelling: str) -> None:
    done = netproxy.run(
        *named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never",
        command=["curl", "-sS", "-x", "http://127.0.0.1:3128", f"http://{spelling}:{site.port}/"],
    )  # fmt: skip
    assert refused(done, site), done.err


def test_the_command_neither_reads_nor_changes_it(netproxy: Netproxy, base: Path) -> None:
    script = """
cat /etc/netproxy/requirements.toml
ls -A /etc/netproxy
echo '[network]' > /etc/netproxy/requirements.toml
rm -rf /etc/netproxy; mv /etc/netproxy /etc/gone
umount /etc/netproxy; mount -t tmpfs none /etc/netproxy
"""
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert done.out == ""
    assert (base / "etc" / "netproxy" / "requirements.toml").read_text() == BOUNDS


def test_without_a_sandbox_it_holds_as_well(netproxy: Netproxy, site: Site) -> None:
    assert refused(attempt(netproxy, site, "--no-sandbox"), site)


def test_a_broken_one_is_not_the_same_as_none(person: Person, base: Path, site: Site) -> None:
    breaks(managed(person, base, "[network"), site)


@pytest.mark.parametrize("broken", ["deny = 1", "[network]\ndney = ['site.test']", "\0"])
def test_however_it_is_broken(ordinary: Person, base: Path, site: Site, broken: str) -> None:
    breaks(managed(ordinary, base, broken), site)


def breaks(netproxy: Netproxy, site: Site) -> None:
    done = attempt(netproxy, site)
    assert (done.status, done.out, site.visits) == (78, "", [])
    assert "/etc/netproxy/requirements.toml" in done.err


def test_nor_is_one_that_can_not_be_read(base: Path, site: Site) -> None:
    """A folder that only root may enter says nothing about what is in it."""
    netproxy = managed(ordinary_user(base), base, "")
    (base / "etc" / "netproxy").chmod(0o700)
    done = attempt(netproxy, site)
    assert (done.status, done.out) == (78, "")
    assert "can't be read: permission denied" in done.err
