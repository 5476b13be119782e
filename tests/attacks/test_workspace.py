"""What the command writes where it may, to be read or obeyed outside later.

The defences: every folder between a writable one and one of ours is a mount point, which can't be
renamed; a link on the way to one of ours is refused; the policy file is read-only wherever it
really lies; the journal's folder exists, and so is hidden, before the command runs; and what comes
from the host with standard input can't be taken further. Each test was seen to fail without its
defence; for what the host mounts later the seal of the mounts and Landlock both had to go.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def _run(netproxy: Netproxy, script: str, environment: dict[str, str], *options: str) -> str:
    done = netproxy.run(
        "--ask", "never", *options, command=["sh", "-c", script], environment=environment
    )
    return done.out + done.err


def write_as(netproxy: Netproxy, policy: Path) -> None:
    """As his own file: else its owner alone would keep him from changing it."""
    policy.write_text('[profiles.x.network]\ndefault = "deny"\n')
    os.chown(policy, netproxy.person.uid, -1)


@pytest.mark.parametrize(
    "value",
    ["hooksPath = a\\0b", "hooksPath = ~\\0/b", "fsmonitor = ./a\\0b", f"hooksPath = {256 * 'a'}"],
    ids=["nul", "user", "program", "long"],
)
def test_what_it_writes_into_a_configuration_keeps_no_later_run_from_starting(
    netproxy: Netproxy, value: str
) -> None:
    """In a repository of its own, which later runs look into."""
    script = f"git init -q own && printf '[core]\n\t{value}\n' >> own/.git/config && echo done"
    assert _run(netproxy, script, {}) == "done\n"
    assert _run(netproxy, "echo done", {}) == "done\n"


def test_the_folder_above_a_hidden_one_can_not_be_moved_away(netproxy: Netproxy) -> None:
    """A hidden folder moves along with its parent, and leaves the name to the command."""
    above = netproxy.person.owns(netproxy.workspace / "settings")
    mine = netproxy.person.owns(above / "mine")
    script = f"""
mv {above} {above}.old
mkdir -p {mine}/netproxy
echo x > {mine}/netproxy/config.toml
"""
    _run(netproxy, script, {"XDG_CONFIG_HOME": str(mine)})
    assert list(above.rglob("*.toml")) == []
    assert not above.with_name("settings.old").exists()


def test_nor_the_folder_above_the_policy_file(netproxy: Netproxy) -> None:
    above = netproxy.person.owns(netproxy.workspace / "policies")
    policy = above / "netproxy.toml"
    write_as(netproxy, policy)
    script = f"mv {above} {above}.old; mkdir -p {above}; echo planted > {policy}"
    _run(netproxy, script, {}, "--config", str(policy))
    assert "planted" not in policy.read_text()


def test_a_writable_home_does_not_open_our_folders(netproxy: Netproxy) -> None:
    """`--write ~`, with everything where it is by default."""
    home = netproxy.person.home
    usual = {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
    script = """
cd "$HOME"
for name in .config .local .local/state; do mv $name $name.old; done
mkdir -p .config/netproxy .local/state/netproxy
echo planted > .config/netproxy/config.toml
echo planted > .local/state/netproxy/planted
"""
    _run(netproxy, script, usual, "--write", str(home))
    assert not list(home.rglob("*.old"))
    assert not (home / ".config/netproxy/config.toml").exists()
    assert not (home / ".local/state/netproxy/planted").exists()


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_STATE_HOME"])
def test_a_link_to_our_folders_that_could_be_turned_is_refused(
    netproxy: Netproxy, base: Path, variable: str
) -> None:
    link = netproxy.workspace / "link"
    link.symlink_to(netproxy.person.owns(base / "real"))
    said = _run(netproxy, f"rm {link}; mkdir {link}", {variable: str(link)})
    assert link.is_symlink()
    assert str(link) in said


def test_a_policy_file_that_a_link_leads_to_is_read_only(netproxy: Netproxy) -> None:
    """Settings are often links into a folder of dotfiles; that may be what is worked on."""
    real = netproxy.person.owns(netproxy.workspace / "dotfiles") / "netproxy.toml"
    write_as(netproxy, real)
    settings = netproxy.person.owns(netproxy.config / "netproxy")
    (settings / "config.toml").symlink_to(real)
    _run(netproxy, f"echo planted > {real}; rm -f {real}; mv {real.parent} away", {})
    assert "deny" in real.read_text()


def test_the_journal_of_the_first_run_is_hidden_as_well(netproxy: Netproxy) -> None:
    """Its folder does not exist when the run begins."""
    fresh = netproxy.person.owns(netproxy.workspace.parent / "fresh")
    done = netproxy(
        "run",
        "--ask",
        "never",
        "--",
        "find",
        str(fresh),
        environment={"XDG_STATE_HOME": str(fresh)},
    )
    assert list(fresh.rglob("*.jsonl")), "there is a journal"
    assert ".jsonl" not in done.out


@pytest.mark.parametrize("folder", ["/proc", "/sys/kernel", "/dev", "/dev/pts"])
def test_what_the_kernel_shows_can_not_be_opened(netproxy: Netproxy, folder: str) -> None:
    """Mounted again, the host's /proc would come back, with its processes and settings."""
    said = _run(netproxy, "echo ran", {}, "--write", folder)
    assert "ran\n" not in said
    assert folder in said


def test_nor_by_starting_there(me: Person, base: Path) -> None:
    """Not in /proc/self, which is another place inside and so refused in any case."""
    there = Path("/proc/sys/kernel")
    done = Netproxy(me, base).run("--ask", "never", command=["echo", "ran"], cwd=there)
    assert "ran\n" not in done.out
    assert str(there) in done.err


_DIALS = """
import ctypes, socket, struct, sys
ctypes.CDLL(None).connect(0, struct.pack("=H14x", socket.AF_UNSPEC), 16)
own = socket.socket(fileno=0)
own.connect(("127.0.0.1", int(sys.argv[1])))
"""


def test_a_network_socket_as_standard_input_is_no_way_out(netproxy: Netproxy) -> None:
    """It belongs to the host's network: connect(2) with AF_UNSPEC frees it for another peer."""
    with (
        socket.create_server(("127.0.0.1", 0)) as caller,
        socket.create_server(("127.0.0.1", 0)) as service,
        socket.create_connection(caller.getsockname()) as stream,
    ):
        service.setblocking(False)
        done = _with_input(netproxy, stream.fileno(), _DIALS, str(service.getsockname()[1]))
        with pytest.raises(BlockingIOError):
            service.accept()
    assert done.returncode == os.EX_USAGE
    assert b"standard input" in done.stderr


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_nor_a_unix_socket_that_can_be_connected(
    me: Person, base: Path, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_UNIX, kind) as stream:
        done = _with_input(Netproxy(me, base), stream.fileno(), "")
    assert done.returncode == os.EX_USAGE


@pytest.mark.parametrize("number", [0, 1, 2])
def test_nor_a_folder(me: Person, base: Path, number: int) -> None:
    """openat(2) from a folder that was opened outside knows no read-only mount.

    The defence is Python's own: it does not start with such a stream.
    """
    netproxy = Netproxy(me, base)
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    code = f"import os; os.open('planted', os.O_CREAT | os.O_WRONLY, dir_fd={number})"
    argv = netproxy.argv(*words, sys.executable, "-I", "-c", code)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {number}<{base}', "sh", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
    )
    assert done.returncode != 0
    assert not (base / "planted").exists()


def test_a_connected_unix_socket_is_a_stream_like_any_other(me: Person, base: Path) -> None:
    """What Node's child_process and sshd give."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"hello")
        ours.shutdown(socket.SHUT_WR)
        done = _with_input(
            Netproxy(me, base), theirs.fileno(), "import sys; print(sys.stdin.read())"
        )
    assert done.stdout == b"hello\n"


def _with_input(
    netproxy: Netproxy, stream: int, code: str, *words: str
) -> subprocess.CompletedProcess[bytes]:
    options = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    return subprocess.run(
        netproxy.argv(*options, sys.executable, "-I", "-c", code, *words),
        stdin=stream,
        capture_output=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
    )


_LATE = """
mount --make-rshared /
(
    while [ ! -e "$READY" ]; do sleep 0.02; done
    mount -t tmpfs -o mode=1777 late "$LATE" && touch "$READY.done"
) &
"$@"
"""


def test_what_the_host_mounts_later_does_not_appear_inside(netproxy: Netproxy) -> None:
    """A disk that is plugged in while the command runs would be there, and writable."""
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    late = netproxy.person.owns(netproxy.workspace.parent / "late")
    ready = netproxy.workspace / "ready"
    script = f"touch {ready}; while [ ! -e {ready}.done ]; do sleep 0.02; done; touch {late}/x"
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--", "sh", "-c", script)
    prefix = ["slave" if word == "private" else word for word in netproxy.person.prefix]
    argv = [*prefix, *netproxy.argv(*words)[len(prefix) :]]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _LATE, "sh", *argv],
        capture_output=True,
        text=True,
        cwd=netproxy.workspace,
        env=netproxy.environment({"READY": str(ready), "LATE": str(late)}),
        timeout=60,
        check=False,
    )
    assert ready.with_name("ready.done").exists(), done.stderr
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr
    assert done.returncode != 0
