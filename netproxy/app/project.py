"""The project's file: where it is looked for, and whether it may be read.

The command can write its own folder. So a file is read only in the content that was trusted; where
a trusted one changed or is gone the run is refused, since skipping it would drop its denials.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.footing import working_directory
from netproxy.app.regular_file import read_regular
from netproxy.errors import InvalidSettings
from otel.values import dataclass
from sandbox.mountpoints import is_mount_point

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netproxy.app.trust import Entries, TrustStore

NAME = "netproxy.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """A file as it was read: the bytes that were hashed are the bytes that are parsed."""

    path: Path  # real folder, name as it is
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal: what is trusted."""
        return sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was found: the nearest trusted file, and a line for each that was passed over."""

    file: ProjectFile | None = None
    warnings: tuple[str, ...] = ()


def find(directory: Path, home: Path, store: TrustStore) -> Search:
    """Look in a folder and above it. Raises `InvalidSettings` where trust was broken.

    The search ends at the home folder, or at `/`. No `.git` ends it: the command can make one.
    """
    warnings: list[str] = []
    trusted = store.entries()
    led_here = _led_elsewhere(trusted)
    for folder in _folders(directory, home):
        path = folder / NAME
        # Another run in that folder may keep its command from making the file.
        is_there = os.path.lexists(path) and not (path.is_dir() and is_mount_point(path))
        known = trusted.get(str(path), {})
        if folder in led_here:
            raise InvalidSettings((_led_away(led_here[folder], folder),))
        if is_there or known:
            found = _judged(path, known, is_there=is_there)
            if isinstance(found, ProjectFile):
                return Search(file=found, warnings=tuple(warnings))
            warnings.append(found)
    return Search(warnings=tuple(warnings))


def read(path: Path) -> ProjectFile:
    """Read one project file, whoever trusts it. Raises `InvalidSettings`."""
    try:
        content, found = read_regular(path)
    except FileNotFoundError:
        raise InvalidSettings((f"{path}: there is no such file",)) from None
    if found.st_uid not in {0, os.getuid()}:
        raise InvalidSettings((f"{path}: belongs to another user",))
    return ProjectFile(path=path, content=content)


def place_of(given: Path) -> Path:
    """Where the file of a folder, or the file itself, is recorded: real folder, and name."""
    return Path(os.path.realpath(spelled_place(given).parent)) / NAME


def spelled_place(given: Path) -> Path:
    """Return the same, but through links: where it was recorded before a folder became one."""
    path = given if given.name == NAME and not given.is_dir() else given / NAME
    return path if path.is_absolute() else working_directory() / path


def _folders(directory: Path, home: Path) -> Iterator[Path]:
    here = Path(os.path.realpath(directory))
    end = Path(os.path.realpath(home))
    for folder in (here, *here.parents):
        yield folder
        if folder == end:
            return


def _led_elsewhere(trusted: Entries) -> dict[Path, Path]:
    """Find the trusted files whose folder is a link by now, or below one, by where that leads.

    The command could move a folder, denials and all, and leave a link in its place.
    """
    real = ((Path(path), Path(os.path.realpath(Path(path).parent))) for path in trusted)
    return {folder: path for path, folder in real if folder != path.parent}


def _led_away(path: Path, folder: Path) -> str:
    return f"{path}: was trusted, and its folder leads to {folder} now; {_way_out(path, 'remove')}"


def _judged(path: Path, known: Mapping[str, str], *, is_there: bool) -> ProjectFile | str:
    """Return the file where its content is trusted, else why it is passed over."""
    if not is_there:
        raise InvalidSettings((f"{path}: was trusted and is gone; {_way_out(path, 'remove')}",))
    try:
        found = read(path)
    except InvalidSettings as refused:
        if known:
            raise
        return f"{refused}, so it was not used"
    if found.digest in known:
        return found
    if known:
        raise InvalidSettings((f"{path}: changed since it was trusted; {_way_out(path)}",))
    return f"{path} is not trusted, so it was not used; read it, then: netproxy trust {path.parent}"


def _way_out(path: Path, option: str = "") -> str:
    again = f"netproxy trust {f'--{option} ' if option else ''}{path.parent}"
    return f"look at it, then: {again} (or leave it out: --no-project)"
