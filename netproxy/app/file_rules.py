"""From a profile to the rules that hold on this disk: which paths exist, and what lies in them.

What the words of a profile mean is `sandbox.profile`; which folders are netproxy's own, and above
all rules, is `netproxy.app.fencing`; what others obey is `netproxy.app.kept_files`. Looks at the
disk and changes nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.kept_files import KeptFiles
from otel.values import dataclass, field
from sandbox.errors import PlanRefused
from sandbox.model import Right, Rule
from sandbox.paths import is_within
from sandbox.plan import in_force
from sandbox.profile import (
    CREDENTIALS,
    DEFAULT_SCAN_DEPTH,
    Entry,
    Places,
    entries_of,
    known_profiles,
    lineage,
    placed,
    scan_depth,
)
from sandbox.scan import BARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netproxy.app.sandbox_settings import SandboxSettings
    from sandbox.model import Identity, Part
    from sandbox.profile import Profile
    from sandbox.scan import Found


class FolderMissing(Exception):
    """A folder that was named does not exist."""


@dataclass(slots=True, kw_only=True)
class FileRules:
    """What the profile and the command line come to here."""

    rules: list[Rule] = field(default_factory=list)
    identities: dict[str, Identity] = field(default_factory=dict)
    shortcuts: dict[str, str] = field(default_factory=dict)
    missing: list[Part] = field(default_factory=list)  # to be kept out although it isn't there
    notes: list[str] = field(default_factory=list)
    unborn: list[str] = field(default_factory=list)  # what makes repositories of workspaces

    def add(self, right: Right, path: str, layer: int) -> None:
        """Let it hold at a path that exists."""
        is_file = not os.path.isdir(path)  # noqa: PTH112  # text
        self.rules.append(Rule(right=right, path=path, layer=layer, is_file=is_file))


def file_rules(
    sandbox: SandboxSettings,
    *,
    cwd: str,
    homes: tuple[str, ...],
    obeyed: tuple[str, ...],
    runtime: str | None = None,
) -> FileRules:
    """Apply the profile in force. Raises FolderMissing, PlanRefused, ProfileRefused.

    `cwd` and `homes` are real paths, `obeyed` files that git obeys in every repository; `runtime`
    is a folder for the sockets of the user's session. The first home is what `~` means, others are
    homes as well: ssh(1) looks for keys where the password database says, whatever $HOME is.
    """
    chain = lineage(sandbox.files, known_profiles(sandbox.profiles))
    home, *others = homes
    own = () if any(is_or_above(cwd, each) for each in homes) else (_top_of(cwd, home),)
    named = tuple(look_at(path, "--workspace")[0] for path in sandbox.workspaces)
    places = Places(
        home=home,
        cwd=() if is_or_above(cwd, home) else (cwd,),
        workspace=tuple(dict.fromkeys((*own, *named))),
    )
    unnamed = tuple(path for path in own if path not in named)
    also_hidden = [f"{other}/{path}" for other in others for path in CREDENTIALS]
    also_hidden += [] if runtime is None else [runtime]
    return _Reader(sandbox, chain, places, unnamed, obeyed).read(also_hidden)


def sweep_workspace(cwd: str, home: str, obeyed: tuple[str, ...]) -> tuple[str, ...]:
    """Remove the mount points that killed runs left in a working directory's workspace."""
    from netproxy.app.sandbox_settings import SandboxSettings
    from sandbox.mountpoints import sweep

    try:
        # What the next run there would keep out, in all its repositories.
        return sweep(file_rules(SandboxSettings(), cwd=cwd, homes=(home,), obeyed=obeyed).missing)
    except PlanRefused:
        return ()  # no run begins there


def is_or_above(path: str, home: str) -> bool:
    """Whether writing `path` would mean writing the whole home folder, or the whole disk.

    Also by another name, where a folder is mounted twice.
    """
    return is_within(home, path) or any(
        _is_same(path, str(folder)) for folder in (Path(home), *Path(home).parents)
    )


def _is_same(path: str, other: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(path, other)  # noqa: PTH121  # text
    return False


def look_at(path: Path | str, named: str) -> tuple[str, Identity]:
    """Where it really is, and which folder that is; both of one and the same."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        raise FolderMissing(f"{named} {path}: no such file or folder") from None
    try:
        found = os.fstat(descriptor)
        return os.readlink(f"/proc/self/fd/{descriptor}"), (found.st_dev, found.st_ino)  # noqa: PTH115  # text
    finally:
        os.close(descriptor)


class _Reader:
    """Reads one profile's entries off the disk."""

    def __init__(
        self,
        sandbox: SandboxSettings,
        chain: tuple[Profile, ...],
        places: Places,
        own: tuple[str, ...],
        obeyed: tuple[str, ...],
    ) -> None:
        self._sandbox = sandbox
        self._chain = chain
        self._places = places
        self._own = own  # the workspace that nobody named
        self._named_last = len(chain)  # the layer of what was named for this run
        self._globs: dict[str, list[Entry]] = {}
        self._opened: set[str] = set()  # as spelled
        self._kept = KeptFiles(obeyed, places.workspace, self._opened)
        self._made = FileRules()

    def read(self, also_hidden: Iterable[str]) -> FileRules:
        for entry in (*entries_of(self._chain, self._places), *self._named()):
            self._take(entry)
        if any(profile.name == "read-only" for profile in self._chain):
            for path in also_hidden:
                self._take(Entry(right=Right.NONE, path=path, pattern=None, layer=0, named=path))
        self._refuse_hidden_workspace()
        writable = {
            path: rule
            for path, rule in in_force(self._made.rules).items()
            if rule.right is Right.WRITE and path != "/"
        }
        for root in self._places.workspace:
            found = self._survey(root, is_written=root in writable)
            if root in writable:
                self._open_repository(root, writable[root].layer)
                self._kept.keep_workspace(root, found.repositories if found is not None else [])
        for path, rule in writable.items():
            if path not in self._places.workspace and not rule.is_file:
                self._kept.keep_near(path)
        for base in list(self._globs):
            self._survey(base, is_written=False)
        held = in_force(self._made.rules)
        for path in self._kept.read_only(held):
            self._made.add(Right.READ, path, 0)
        self._made.missing = self._kept.kept_out(held)
        self._made.unborn = self._kept.unborn
        return self._made

    def _named(self) -> Iterator[Entry]:
        """What was named for this run, over all that its profile says."""
        layer = self._named_last
        for right, all_named in (
            (Right.WRITE, self._sandbox.write_paths),
            (Right.READ, self._sandbox.read_paths),
            (Right.NONE, self._sandbox.hide_paths),
        ):
            for named in all_named:
                if isinstance(named, str):
                    yield from placed(right, named, self._places, layer=layer)
                else:  # it is what it says, whatever characters are in it
                    path = str(named)
                    yield Entry(right=right, path=path, pattern=None, layer=layer, named=path)

    def _take(self, entry: Entry) -> None:
        if entry.pattern is not None:
            self._globs.setdefault(os.path.realpath(entry.path), []).append(entry)
        elif entry.right is Right.PRIVATE:
            self._made.rules.append(Rule(right=entry.right, path=entry.path, layer=entry.layer))
        elif entry.right is Right.WRITE:
            if entry.path == "/" and entry.layer == self._named_last:
                raise PlanRefused(
                    "the whole disk can't be writable: name the folders that shall be, or use "
                    "--files network-only"
                )
            path, identity = look_at(entry.path, "--write")
            self._opened.add(entry.path)
            self._made.identities[path] = identity
            self._made.add(entry.right, path, entry.layer)
        elif os.path.lexists(entry.path) and not self._kept.keeps_out(entry.path):
            self._take_existing(entry)
        elif entry.layer == self._named_last:
            self._take_absent(entry)
        elif entry.right is Right.READ:
            self._kept.keep_out(entry.path)

    def _take_existing(self, entry: Entry) -> None:
        real = os.path.realpath(entry.path)
        if os.path.lexists(real) and not os.path.islink(real):  # noqa: PTH114  # text
            # Else it is a link that leads nowhere, or to itself.
            self._made.add(entry.right, real, entry.layer)
        if entry.right is Right.READ and os.path.islink(entry.path):  # noqa: PTH114  # text
            self._made.shortcuts[entry.path] = real

    def _take_absent(self, entry: Entry) -> None:
        if entry.right is not Right.READ or not self._kept.keep_out(entry.path):
            option = "--read" if entry.right is Right.READ else "--hide"
            raise FolderMissing(f"{option} {entry.named}: no such file or folder")

    def _refuse_hidden_workspace(self) -> None:
        """Where somebody happens to stand opens nothing that his profile hides."""
        rules = self._made.rules
        opened = {rule.path for rule in rules if rule.layer == self._named_last}
        hidden = {rule.path for rule in rules if rule.right is Right.NONE} - opened
        for root in self._own:
            for path in hidden:
                if is_within(root, path):
                    raise PlanRefused(
                        f"{root} lies in {path}, which is hidden from the command; start somewhere "
                        f"else, or open it with --workspace {root}"
                    )

    def _survey(self, root: str, *, is_written: bool) -> Found | None:
        from sandbox.globs import Glob
        from sandbox.scan import MOST_ENTRIES, MOST_ENTRIES_ASKED, survey

        entries = self._globs.pop(root, [])
        if not entries and not is_written:
            return None
        globs = [(Glob.of(entry.pattern or ""), entry) for entry in entries]
        asked = scan_depth(self._chain)
        found = survey(
            root,
            depth=DEFAULT_SCAN_DEPTH if asked is None else asked,
            wanted=(lambda path: any(glob.matches(path) for glob, _ in globs)) if globs else None,
            most=MOST_ENTRIES if asked is None else MOST_ENTRIES_ASKED,
        )
        if found.is_cut and entries:
            raise PlanRefused(
                f"{root} holds too much to look for {entries[0].named} in all of it; give a "
                "scan_depth in the profile, or name the folders that it means"
            )
        if found.is_cut:
            self._made.notes.append(
                f"{root} holds too much to look for repositories in all of it; hooks in those that "
                "were not found can be written"
            )
        for glob, entry in globs:
            for path, _ in found.matches:
                if glob.matches(path[len(root.rstrip("/")) + 1 :]):
                    self._made.add(entry.right, path, entry.layer)
            for path in found.unlisted:  # nobody can say what in it matches
                if not glob.reaches(path[len(root.rstrip("/")) + 1 :]):
                    continue
                if entry.right is Right.NONE:
                    self._made.add(entry.right, path, entry.layer)
                else:
                    self._kept.add(path)
        return found

    def _open_repository(self, root: str, layer: int) -> None:
        """Let git work in a further work tree: its objects and branches are elsewhere."""
        from sandbox.repository import common_folder

        common = common_folder(root)
        if common is None or is_within(common, root):
            return
        path, identity = look_at(common, "repository")
        self._made.add(Right.WRITE, path, layer)
        self._made.identities[path] = identity
        self._kept.keep_common(path, root)


def _top_of(cwd: str, home: str) -> str:
    """The top of the repository around a working directory below home, else that itself."""
    for marks in ((".git",), BARE):
        folder = cwd
        while folder != home and is_within(folder, home):
            if all(os.path.lexists(f"{folder}/{name}") for name in marks):
                return folder
            folder = os.path.dirname(folder)  # noqa: PTH120  # text
    return cwd
