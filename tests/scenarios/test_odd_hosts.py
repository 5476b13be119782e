"""On an odd host a run works, or one line says what is missing and what to type; never a trace.

The hosts are made here, in mount and user namespaces that the test's process has for itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import NETPROXY, Done, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

made_by_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts over the host's folders")


def on(person: Person, base: Path, host: str, *words: str, **environment: str) -> Done:
    """Run `words` where the shell lines `host` were executed first: as root, if we are."""
    netproxy = Netproxy(person, base)
    prefix = [*person.prefix] or ["sh", "-c", 'exec "$@"', "sh"]
    prefix[-2] = prefix[-2].replace("exec ", f"{host}\nexec ", 1)
    options = ("--audit-dir", str(netproxy.audit), "--ask", "never")
    done = subprocess.run(
        [*prefix, *NETPROXY, "run", *options, "--", *words],
        cwd=netproxy.workspace,
        env={**netproxy.environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Done(status=done.returncode, out=done.stdout, err=done.stderr)


def refused(done: Done, *words: str) -> None:
    """One line, with what to do."""
    assert done.status == 125, done
    assert done.out == ""
    lines = [line for line in done.err.splitlines() if "warning: the journal" not in line]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("netproxy run: ")
    assert [word for word in words if word not in lines[0]] == []


# The kernel refuses another user namespace to whoever is in one that says so: as in a container.
_LIMITED = """
import ctypes, os, sys
uid, gid = os.getuid(), os.getgid()
os.unshare(os.CLONE_NEWUSER)
maps = ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")
for name, text in maps:
    open(f"/proc/self/{name}", "w").write(text)
open("/proc/sys/user/max_user_namespaces", "w").write("0")
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Docker's default filter answers unshare(2), and clone(2) with new namespaces, with EPERM.
_FILTERED = """
import ctypes, os, struct, sys
def step(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)
unshare, clone, clone3 = {"x86_64": (272, 56, 435), "aarch64": (97, 220, 435)}[os.uname().machine]
filter = b"".join([
    step(0x20, 0, 0, 0),
    step(0x15, 5, 0, unshare), step(0x15, 5, 0, clone3), step(0x15, 0, 2, clone),
    step(0x20, 0, 0, 16), step(0x45, 1, 0, 0x10000000), step(0x06, 0, 0, 0x7FFF0000),
    step(0x06, 0, 0, 0x00050001), step(0x06, 0, 0, 0x00050026),
])
buffer = ctypes.create_string_buffer(filter)
program = struct.pack("HxxxxxxP", len(filter) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""

_SETUID = """
cp /usr/bin/bwrap {base}/bwrap; chmod 4755 {base}/bwrap
mount --bind {base}/bwrap /usr/bin/bwrap; mount -o remount,suid,bind /usr/bin/bwrap
"""


def inside(script: str) -> str:
    """A shell line that goes on with what comes within what the script makes."""
    return f"set -- {sys.executable} -I -c '{script}' \"$@\""


def test_where_user_namespaces_are_limited(ordinary: Person, base: Path) -> None:
    refused(on(ordinary, base, inside(_LIMITED), "id"), "limited to 0", "sudo sysctl")


def test_where_a_filter_refuses_them(ordinary: Person, base: Path) -> None:
    refused(on(ordinary, base, inside(_FILTERED), "id"), "containers", "on the host")


@made_by_root
@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("mount -t tmpfs -o ro t /proc/acpi", ("/proc", "systempaths=unconfined")),
        ("mount -o bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys", ("/proc",)),
        ("umount -l /proc", ("there is no /proc", "mount -t proc")),
        (_SETUID, ("setuid", "chmod u-s")),
        ("mount --bind /dev/null /usr/bin/bwrap", ("bwrap is not installed", "apt-get install")),
        ("mount -t tmpfs -o ro t {base}/audit", ("audit journal", "{base}")),
    ],
    ids=["covered /proc", "read-only /proc/sys", "no /proc", "setuid bwrap", "no bwrap", "journal"],
)  # fmt: skip
def test_what_is_missing_is_said(
    ordinary: Person, base: Path, host: str, words: tuple[str, ...]
) -> None:
    refused(
        on(ordinary, base, host.format(base=base), "id", PATH="/usr/bin:/bin"),
        *(word.format(base=base) for word in words),
    )


def test_where_processes_have_other_numbers(ordinary: Person, base: Path) -> None:
    """In a PID namespace of its own, under the /proc of whoever made it."""
    host = 'set -- unshare --user --pid --fork "$@"'
    refused(on(ordinary, base, host, "id"), "another PID namespace", "mount -t proc proc /proc")


@pytest.mark.parametrize("most", [2, 4])
def test_where_no_more_processes_may_be_started(ordinary: Person, base: Path, most: int) -> None:
    """Above that it depends on who else of this user has processes where it fails, if it does."""
    done = on(ordinary, base, f'set -- prlimit --nproc={most} "$@"', "id")
    assert done.status in {0, 125}
    assert "Traceback" not in done.err


def test_few_files_and_folders_that_are_gone(ordinary: Person, base: Path) -> None:
    few = on(ordinary, base, 'set -- prlimit --nofile=20 "$@"', "id")
    refused(few, "only 20 files", "ulimit -n")
    gone = 'set -- sh -c \'mkdir x && cd x && rmdir ../x && exec "$@"\' sh "$@"'
    refused(on(ordinary, base, gone, "id"), "working directory is gone")
    below = 'set -- sh -c \'mkdir -p a/b && cd a/b && chmod 0 .. && exec "$@"\' sh "$@"'
    refused(on(ordinary, base, below, "id"), "working directory")


@made_by_root
def test_where_it_works_all_the_same(ordinary: Person, base: Path) -> None:
    """No runtime folder, no /run, no way to write /tmp, no shared memory, no name, no streams."""
    nameless = replace(ordinary, prefix=tuple(ordinary.prefix))
    host = f"""
        mount --bind /tmp /tmp; mount -o remount,ro,bind /tmp
        mount -t tmpfs t /run
        mount -t tmpfs t /dev/shm; umount -l /dev/shm
        umount /etc/passwd /etc/group
        mount -t tmpfs -o noexec,mode=1777 t {base}/workspace
        cd {base}/workspace
        set -- sh -c 'exec "$@" 0<&-' sh "$@"
    """
    script = "touch /tmp/x /dev/shm/x ./x && printf '#!/bin/sh' > y && chmod +x y; ./y; id -u"
    done = on(nameless, base, host, "sh", "-c", script, XDG_RUNTIME_DIR="")
    assert (done.status, done.out) == (0, f"{ordinary.uid}\n"), done.err
    assert "Permission denied" in done.err  # of ./y: noexec holds inside


@made_by_root
def test_where_home_is_mounted_twice(ordinary: Person, base: Path) -> None:
    """What is hidden in it, and what is netproxy's own, is hidden by the other name, too."""
    again = ordinary.owns(base / "again")
    key = ordinary.owns(ordinary.home / ".ssh") / "id"
    key.write_text("a key\n")
    (ordinary.home / "seen").write_text("a note\n")
    for path in (key, ordinary.home / "seen"):
        os.chown(path, ordinary.uid, ordinary.uid)
    mounted = f"mount --bind {ordinary.home} {again}"
    script = f"cat {again}/seen {again}/.ssh/id; ls {base}/state/netproxy {base}/other/netproxy"
    twice = f"{mounted}; mkdir -p {base}/other; mount --bind {base}/state {base}/other"
    done = on(ordinary, base, twice, "sh", "-c", script)
    assert done.out == "a note\n", "the rest of home is read as ever"
    assert done.err.count("Permission denied") == 3, done.err


@made_by_root
def test_where_home_is_said_to_be_another_folder(ordinary: Person, base: Path) -> None:
    """A variable moves neither what is hidden nor what is no workspace."""
    other = ordinary.owns(base / "other")
    for name in (".ssh", ".local/state/netproxy"):
        folder = ordinary.home / name
        folder.mkdir(parents=True)
        (folder / "secret").write_text("a secret\n")
    script = "cat .ssh/secret .local/state/netproxy/secret; touch .bashrc && echo WROTE"
    host = f"cd {ordinary.home}; chown -R {ordinary.uid} .ssh .local"
    done = on(ordinary, base, host, "sh", "-c", script, HOME=str(other))
    assert (done.status, done.out) == (1, ""), done.err
    assert done.err.count("Permission denied") == 2
    assert "Read-only file system" in done.err


def test_where_home_is_no_absolute_path(ordinary: Person, base: Path) -> None:
    """Then it is no folder at all, and nothing of ours is left where the run starts."""
    done = on(ordinary, base, ":", "sh", "-c", "touch mine && echo written", HOME=".")
    assert (done.status, done.out) == (0, "written\n"), done.err
    assert [path.name for path in (base / "workspace").iterdir()] == ["mine"]


# The kernel's own file systems, once more: one of each, in a folder that may be written.
_CHROOT = """
mkdir -p chroot/proc chroot/sys; chmod 0777 chroot
mount -t proc proc chroot/proc; mount -t sysfs sysfs chroot/sys
"""
_OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private", "sh", "-c", 'exec "$@"', "sh")


@made_by_root
def test_where_a_chroot_is_worked_on(person: Person, base: Path) -> None:
    """Its /proc and /sys are the host's, settings and processes, and may be written by root."""
    someone = person if person.prefix else replace(person, prefix=_OWN_MOUNTS)
    script = """
        for name in proc/sys/kernel/core_pattern sys/kernel/rcu_normal; do
            (exec 3<> chroot/$name) 2> /dev/null && echo "chroot/$name is open"
        done
        ls chroot/proc chroot/sys; mkdir chroot/etc && ls chroot
    """
    done = on(someone, base, _CHROOT, "sh", "-c", script)
    assert done.out.split() == ["etc", "proc", "sys"], done.err
    assert done.err.count("Permission denied") == 2


@made_by_root
def test_where_root_has_a_chroot_that_only_its_owner_may_enter(me: Person, base: Path) -> None:
    """Inside, root has no power over others' folders: nothing is to be covered there."""
    folder = base / "theirs"
    (folder / "proc").mkdir(parents=True)
    folder.chmod(0o700)
    os.chown(folder, 65_000, 65_000)
    host = f"mount -t proc proc {folder}/proc"
    done = on(replace(me, prefix=_OWN_MOUNTS), base, host, "ls", str(folder / "proc"))
    assert "Permission denied" in done.err
    assert done.status == 2, done.err


@made_by_root
def test_home_by_its_other_name_is_no_workspace(ordinary: Person, base: Path) -> None:
    again = ordinary.owns(base / "again")
    host = f"mount --bind {ordinary.home} {again}; cd {again}"
    done = on(ordinary, base, host, "sh", "-c", "echo x >> .bashrc && echo WROTE")
    assert "WROTE" not in done.out
    assert "Read-only file system" in done.err
