"""Who runs a test: root, and an ordinary user that the suite makes for itself.

An interpreter or a checkout under a 0700 home can't be reached by another user. So the ordinary
user's processes get a private mount namespace in which an 0755 folder, holding only what they need,
covers that home (the host is not changed).
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
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
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", USER],
            check=False,
            capture_output=True,
        )
        entry = pwd.getpwnam(USER)
    home = base / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    return Person(name="user", uid=entry.pw_uid, home=home, prefix=_enter(entry, base))


def _enter(entry: pwd.struct_passwd, base: Path) -> tuple[str, ...]:
    script = [*_uncover(base / "uncovered"), _drop(entry)]
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh")


def _drop(entry: pwd.struct_passwd) -> str:
    return (
        f"exec setpriv --reuid={entry.pw_uid} --regid={entry.pw_gid} --clear-groups"
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
