"""Who runs a test: root, and an ordinary user that the suite makes for itself.

An interpreter or a checkout under a 0700 home can't be reached by another user. So the ordinary
user's processes get a private mount namespace in which an 0755 folder, holding only what they need,
covers that home. His name, too, exists only there: the host is not changed.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import shutil
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USER = "netproxy-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user with a home of his own, whose processes start through `prefix`."""

    name: str
    uid: int
    home: Path
    prefix: tuple[str, ...] = ()

    def owns(self, path: Path) -> Path:
        """Make `path` (a folder) this person's."""
        path.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            os.chown(path, self.uid, self.uid)
        return path


def myself(home: Path) -> Person:
    """Whoever runs the suite."""
    return Person(name="root" if os.getuid() == 0 else "me", uid=os.getuid(), home=home)


def ordinary_user(base: Path) -> Person:
    """A user without any privilege. Needs root; `base` must be reachable by everybody."""
    home = base / "home"
    home.mkdir(exist_ok=True)
    uid = _unused_id()
    os.chown(home, uid, uid)
    return Person(name="user", uid=uid, home=home, prefix=_enter(uid, home, base))


def beside(person: Person, pid: int, folder: Path) -> Person:
    """The same person, in the mount namespace of one of his processes, at work in `folder`."""
    if not person.prefix:
        return person
    script = f"cd {shlex.quote(str(folder))}\n{_drop(person.uid)}"
    entering = ("nsenter", f"--mount=/proc/{pid}/ns/mnt", "sh", "-c", script, "sh")
    return replace(person, prefix=entering)


def _unused_id() -> int:
    """Debian keeps the numbers from here on for nobody (policy, section 9.2.2)."""
    used = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    return next(number for number in range(65_000, 65_534) if number not in used)


def _enter(uid: int, home: Path, base: Path) -> tuple[str, ...]:
    script = [*_uncover(base / "uncovered"), *_introduce(uid, home, base), _drop(uid)]
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh")


def _introduce(uid: int, home: Path, base: Path) -> list[str]:
    """Shell lines that give the user a name: ssh and git ask for it. Only he is told."""
    lines = []
    for file, line in (
        ("passwd", f"{USER}:x:{uid}:{uid}::{home}:/bin/sh"),
        ("group", f"{USER}:x:{uid}:"),
    ):
        copy = base / file
        copy.write_text(f"{Path('/etc', file).read_text().rstrip()}\n{line}\n")
        copy.chmod(0o644)
        lines.append(f"mount --bind {shlex.quote(str(copy))} /etc/{file}")
    return lines


def _drop(uid: int) -> str:
    return (
        f"exec setpriv --reuid={uid} --regid={uid} --clear-groups"
        ' --bounding-set=-all --inh-caps=-all "$@"'
    )


def _uncover(folder: Path) -> list[str]:
    """Shell lines that make the interpreter and the checkout reachable for everybody."""
    needed = {ROOT, Path(sys.prefix), Path(sys.base_prefix).resolve()}
    covers: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(needed):
        if (cover := _first_closed(path)) is not None:
            covers[cover].append(path)
    lines = ["set -e"]
    for number, (cover, paths) in enumerate(covers.items()):
        stand_in = folder / str(number)
        for path in paths:
            place = stand_in / path.relative_to(cover)
            if any(
                place.is_relative_to(stand_in / other.relative_to(cover)) and other != path
                for other in paths
            ):
                continue  # comes with the folder above it
            place.mkdir(parents=True, exist_ok=True)
            lines.append(f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(place))}")
        lines.append(f"mount --rbind {shlex.quote(str(stand_in))} {shlex.quote(str(cover))}")
    for made in [folder, *folder.rglob("*")] if folder.exists() else []:
        made.chmod(0o755)
    return lines


def _first_closed(path: Path) -> Path | None:
    """The topmost folder on the way that others may not enter."""
    for folder in [*reversed(path.parents), path]:
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def open_folder() -> Path:
    """A folder that every user can reach; the caller removes it with `remove`."""
    folder = Path(tempfile.mkdtemp(prefix="netproxy-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    """Remove what `open_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
