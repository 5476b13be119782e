"""The command writes the project's folder: it must not write the next run's policy.

The defences: trust is of path and content, kept outside of what the command sees; a trusted file is
a mount of its own inside, read-only and not to be moved; one that changed or is gone refuses the
run, so that its denials are never dropped in silence. Each test was seen to fail without its
defence.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Done, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

DENIES = "[profiles.p.network]\ndeny = ['**.evil.test']\n"


@pytest.fixture
def netproxy(ordinary: Person, base: Path) -> Netproxy:
    return Netproxy(ordinary, base)


def put(netproxy: Netproxy, text: str, folder: str = ".") -> Path:
    """As the person would: the file is theirs."""
    path = netproxy.person.owns(netproxy.workspace / folder) / "netproxy.toml"
    path.write_text(text)
    os.chown(path, netproxy.person.uid, netproxy.person.uid)
    return path


def trust(netproxy: Netproxy) -> None:
    done = netproxy("trust", "--yes")
    assert done.status == 0, done.err


def run(netproxy: Netproxy, script: str, *options: str) -> Done:
    return netproxy.run("--ask", "never", *options, command=["sh", "-c", script])


def test_a_trusted_file_can_not_be_changed_from_inside(netproxy: Netproxy) -> None:
    """One attempt after the other in one run, each from the workspace; the file says if one won."""
    path = put(netproxy, DENIES)
    trust(netproxy)
    script = """
attempt() { (cd "$0" && eval "$1"); grep -q evil "$0/netproxy.toml" || echo "changed by: $1"; }
touch planted
attempt 'echo > netproxy.toml'
attempt 'rm -f netproxy.toml; echo > netproxy.toml'
attempt 'mv netproxy.toml other; echo > netproxy.toml'
attempt 'echo > planted; mv -f planted netproxy.toml'
attempt 'touch planted; ln -f planted netproxy.toml'
attempt 'chmod u+w netproxy.toml; truncate -s 0 netproxy.toml'
attempt 'mv ../workspace ../elsewhere'
attempt 'd=$PWD; cd ..; rm -rf $d; mkdir -p $d; echo > $d/netproxy.toml'
echo done
"""
    words = ("sh", "-c", script, str(netproxy.workspace))
    assert netproxy.run("--ask", "never", command=words).out == "done\n"
    assert path.read_text() == DENIES
    done = run(netproxy, "true")
    assert (done.status, done.err) == (0, "")


def test_a_file_that_was_changed_elsewhere_refuses_the_run(netproxy: Netproxy) -> None:
    """Skipping it would drop its denials; --no-project is the person's own word."""
    put(netproxy, DENIES)
    trust(netproxy)
    put(netproxy, "")
    done = run(netproxy, "true")
    assert done.status == 78
    assert "changed since it was trusted" in done.err
    assert run(netproxy, "true", "--no-project").status == 0


def test_a_file_that_is_gone_refuses_the_run(netproxy: Netproxy) -> None:
    path = put(netproxy, DENIES)
    trust(netproxy)
    path.unlink()
    done = run(netproxy, "true")
    assert done.status == 78
    assert "was trusted and is gone" in done.err


def test_a_file_that_the_command_plants_is_not_read(netproxy: Netproxy) -> None:
    """It can't be made where the command works, and counts for nothing when it comes there."""
    planted = "[profiles.p.network]\ndefault = 'allow'\nallow_private = ['127.0.0.0/8']\n"
    run(netproxy, f'printf "{planted}" > netproxy.toml; printf "{planted}" > planted')
    assert not (netproxy.workspace / "netproxy.toml").exists()
    (netproxy.workspace / "planted").rename(netproxy.workspace / "netproxy.toml")
    done = run(netproxy, "curl -s http://127.0.0.1:9/")
    assert "is not trusted, so it was not used" in done.err
    assert done.status == 77


def test_nor_one_nearer_than_the_trusted_one(netproxy: Netproxy) -> None:
    """It would hide the denials of the one above."""
    put(netproxy, DENIES)
    trust(netproxy)
    run(netproxy, "mkdir deep; echo > deep/netproxy.toml")
    done = netproxy.run(
        "--allow", "*", "--ask", "never",
        command=["curl", "-s", "http://a.evil.test/"],
        cwd=netproxy.workspace / "deep",
    )  # fmt: skip
    assert "denied_by_rule" in done.err


def test_the_record_of_trust_can_not_be_written_from_inside(netproxy: Netproxy) -> None:
    put(netproxy, "[profiles.p.network]\n")
    store = netproxy.state / "netproxy" / "trust.json"
    forged = f"mkdir -p {store.parent}; echo '{{}}' > {store}; netproxy trust --yes"
    before = run(netproxy, forged)
    assert not store.exists(), before.err
    trust(netproxy)
    kept = store.read_text()
    run(netproxy, forged)
    assert store.read_text() == kept


def test_nor_where_it_would_lie_in_the_workspace(netproxy: Netproxy) -> None:
    """Not there yet, in a folder that the command writes: it would be the first to make it."""
    state = {"XDG_STATE_HOME": str(netproxy.workspace / "state")}
    store = netproxy.workspace / "state" / "netproxy" / "trust.json"
    script = f"""
mkdir -p {store.parent}; echo forged > {store}
mv state moved; mkdir -p {store.parent}; echo forged > {store}
rm -rf state; ln -s moved state; echo forged > {store}
"""
    netproxy.run("--ask", "never", command=["sh", "-c", script], environment=state)
    assert not store.exists()
    assert not (netproxy.workspace / "moved").exists()


def test_a_link_in_place_of_the_folder_refuses_the_run(netproxy: Netproxy) -> None:
    """Run above the project: it is not in use there, so the command may move it."""
    put(netproxy, DENIES, "project")
    folder = netproxy.workspace / "project"
    assert netproxy("trust", "--yes", cwd=folder).status == 0
    run(netproxy, "mv project moved; ln -s moved project; rm moved/netproxy.toml")
    assert folder.is_symlink()
    done = netproxy.run("--ask", "never", command=["true"], cwd=folder)
    assert done.status == 78
    assert "was trusted, and its folder leads to" in done.err
    assert netproxy("trust", "--remove", str(folder)).status == 0
    assert netproxy.run("--ask", "never", command=["true"], cwd=folder).status == 0
