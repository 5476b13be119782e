"""A sandbox that lost one of its defences: the probe finds out, and nothing is executed.

A bwrap of ours leaves something out of what it is told; everything else is real.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person

# Executes the real bwrap without what the file MODE names.
_LOSES = """#!/usr/bin/python3
import os, sys
words, mode = sys.argv[1:], open(MODE).read()
def drop(*some):
    for at in range(len(words)):
        if words[at : at + len(some)] == list(some):
            del words[at : at + len(some)]
            return
    raise SystemExit(f"nothing to drop: {some}")
if mode == "filter":
    at = words.index("--seccomp")
    del words[at : at + 2]
elif mode == "capabilities":
    drop("--cap-drop", "ALL")
elif mode == "hidden":
    drop("--remount-ro", PROTECTED.replace("kept", "hidden"))
    drop("--perms", "0000", "--tmpfs", PROTECTED.replace("kept", "hidden"))
elif mode == "settings":
    words = [word.replace("/proc/sys", "/proc/fs") for word in words]
elif mode == "protected":
    at = max(n for n, word in enumerate(words) if word == "--ro-bind" and words[n + 1] == PROTECTED)
    words[at] = "--bind"
os.execv(REAL, ["bwrap", *words])
"""
_PROVES = """
import json, os, sys
from sandbox.host import program_paths
from sandbox.launch import Launch
from sandbox.plan import Access, Mount, Plan
from sandbox.process import Fence
from sandbox.streams import Streams
folder, bwrap, *modes = sys.argv[1:]
kinds = ((Access.READ, "/"), (Access.DEVICES, "/dev"), (Access.PROCESSES, "/proc"),
         (Access.PRIVATE, "/tmp"), (Access.WRITE, folder),
         *((Access.READ, f"{folder}/{each}") for each in ("kept-too", "kept", "kept=3")),
         *((Access.READ, path) for path in program_paths(sys.path)),
         *((Access.HIDDEN, f"{folder}/{each}") for each in ("hidden-too", "hidden", "hidden=3")))
plan = Plan(mounts=tuple(Mount(*kind) for kind in kinds), working_directory="/", identities={})
launch = Launch(command=("touch", folder + "/ran"), environment={}, directory="/",
                streams=Streams(terminals=(), path=None), plan=plan, machine=os.uname().machine)
found = {}
for mode in modes:
    with open(bwrap + ".mode", "w") as chosen:
        chosen.write(mode)
    fence = Fence(launch, bwrap=bwrap)
    listeners = fence.listeners()
    proof = fence.prove(listeners)
    found[mode] = {attempt.name: attempt.answer for attempt in proof.surprises}
    listeners.close()
    fence.abandon()
print(json.dumps(found))
"""


def lossy(folder: Path, *, protected: str = "", real: str = "/usr/bin/bwrap") -> Path:
    path = folder / "bwrap"
    text = _LOSES.replace("REAL", repr(real)).replace("PROTECTED", repr(protected))
    text = text.replace("MODE", repr(f"{path}.mode"))
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_each_lost_defence_is_found(person: Person, base: Path) -> None:
    folder = person.owns(base / "work")
    for name in ("kept", "hidden"):
        for each in (f"{name}-too", name, f"{name}=3"):
            person.owns(folder / each)
    bwrap = lossy(person.owns(base / "bin"), protected=str(folder / "kept"))
    modes = ["nothing", "filter", "capabilities", "hidden", "protected", "settings"]
    done = subprocess.run(
        [*person.prefix, sys.executable, "-I", "-c", _PROVES, str(folder), str(bwrap), *modes],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    is_root = person.uid == 0
    assert found["nothing"] == {}
    # Neither the first of them nor the last.
    assert found["hidden"] == {"reading a hidden path": f"OK {folder}/hidden"}
    assert found["protected"] == {"writing a protected path": f"OK {folder}/kept"}
    # Where we aren't root the file modes hold these two, and there is nothing to find.
    assert found["settings"] == ({"changing a setting of the kernel": "OK"} if is_root else {})
    assert ("a capability" in found["capabilities"]) == is_root
    assert {
        "a unix socket",
        "a pair of datagram sockets",
        "a vsock socket",
        "io_uring",
        "a key ring",
        "a mount",
        "a key typed into the terminal",
        "a capability",
        "a user namespace of its own",
    } <= found["filter"].keys()
    assert not (folder / "ran").exists()


def test_many_repositories_take_nothing_from_the_proof(me: Person, base: Path) -> None:
    """A command may make them for the next run, and each takes mounts.

    The monitor was told of all of them in one message, whose end was cut off: not all was tried.
    """
    netproxy = Netproxy(me, base)
    (netproxy.workspace / ".git/hooks").mkdir(parents=True)
    few = netproxy.run("--ask", "never", command=["true"])
    for number in range(900):
        folder = netproxy.workspace / f"group-{number % 90}" / f"{'long-name' * 8}-{number}"
        (folder / ".git/hooks").mkdir(parents=True)
    many = netproxy.run("--ask", "never", command=["true"])
    assert (few.status, many.status, many.err) == (0, 0, "")
    before, after = netproxy.events("netproxy.sandbox.probed")
    assert after["netproxy.probe.attempts"] == before["netproxy.probe.attempts"]


def test_a_run_whose_sandbox_does_not_hold_executes_nothing(me: Person, base: Path) -> None:
    """The whole way: one line that names it, status 125, and the record."""
    netproxy = Netproxy(me, base)
    real = base / "real-bwrap"
    real.write_bytes(Path("/usr/bin/bwrap").read_bytes())
    real.chmod(0o755)
    fake = lossy(base, real=str(real))
    (base / "bwrap.mode").write_text("filter")
    as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
    script = f'mount --bind {shlex.quote(str(fake))} /usr/bin/bwrap && exec "$@"'
    prefix = ("unshare", *as_root, "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make namespaces, so bwrap can't be replaced")
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--", "touch", "ran")
    done = subprocess.run(
        [*prefix, *netproxy.argv(*words)],
        capture_output=True,
        text=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
    )
    assert done.returncode == 125, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "the sandbox does not hold, nothing was executed: " in done.stderr
    assert "a unix socket (OK)" in done.stderr
    assert not (netproxy.workspace / "ran").exists()
    (event,) = [e for e in netproxy.events() if e["event.name"] == "netproxy.sandbox.probed"]
    assert event["netproxy.probe.held"] is False
    assert "a unix socket: OK" in event["netproxy.probe.surprises"]
