"""From a profile to the rules that hold on this disk: which paths exist, and what lies in them.

What the words of a profile mean is `sandbox.profile`; which folders are netproxy's own, and above
all rules, is `netproxy.app.fencing`. Looks at the disk and changes nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from otel.values import dataclass, field
from sandbox.errors import PlanRefused
from sandbox.model import Part, Right, Rule
from sandbox.mountpoints import is_mount_point
from sandbox.plan import in_force
from sandbox.profile import (
    DEFAULT_SCAN_DEPTH,
    SETTINGS,
    Entry,
    Places,
    entries_of,
    known_profiles,
    lineage,
    placed,
    scan_depth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netproxy.app.sandbox_settings import SandboxSettings
    from sandbox.model import Identity
    from sandbox.profile import Profile
    from sandbox.scan import Found

# Below a folder that is no workspace, only what lies in it and right below is looked through.
_NEAR_DEPTH, _NEAR_ENTRIES = 1, 5_000
# Below home: what git obeys in every repository (git-config(1), FILES).
_GIT_FILES = (".gitconfig", ".config/git/config")


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
    sandbox: SandboxSettings, *, cwd: str, home: str, runtime: str | None = None
) -> FileRules:
    """Apply the profile in force. Raises FolderMissing, PlanRefused, ProfileRefused.

    `cwd` and `home` are real paths; `runtime` is a folder for the sockets of the user's session.
    """
    chain = lineage(sandbox.files, known_profiles(sandbox.profiles))
    own = () if is_or_above(cwd, home) else (_top_of(cwd, home),)
    named = tuple(look_at(path, "--workspace")[0] for path in sandbox.workspaces)
    places = Places(
        home=home,
        cwd=() if is_or_above(cwd, home) else (cwd,),
        workspace=tuple(dict.fromkeys((*own, *named))),
    )
    unnamed = tuple(path for path in own if path not in named)
    return _Reader(sandbox, chain, places, unnamed).read(runtime)


def sweep_workspace(cwd: str, home: str) -> tuple[str, ...]:
    """Remove the mount points that killed runs left in a working directory's workspace."""
    from netproxy.app.sandbox_settings import SandboxSettings
    from sandbox.mountpoints import sweep

    try:
        # What the next run there would keep out, in all its repositories.
        return sweep(file_rules(SandboxSettings(), cwd=cwd, home=home).missing)
    except PlanRefused:
        return ()  # no run begins there


def is_or_above(path: str, home: str) -> bool:
    """Whether writing `path` would mean writing the whole home folder, or the whole disk.

    Also by another name, where a folder is mounted twice.
    """
    return _is_within(home, path) or any(
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
    ) -> None:
        self._sandbox = sandbox
        self._chain = chain
        self._places = places
        self._own = own  # the workspace that nobody named
        self._named_last = len(chain)  # the layer of what was named for this run
        self._globs: dict[str, list[Entry]] = {}
        self._opened: set[str] = set()  # as spelled
        self._obeyed = tuple(f"{places.home}/{name}" for name in _GIT_FILES)
        self._kept_in = list(places.workspace)  # where nothing that is obeyed can be made
        self._kept: list[str] = []  # what others obey, and is there
        self._made = FileRules()

    def read(self, runtime: str | None) -> FileRules:
        for entry in (*entries_of(self._chain, self._places), *self._named()):
            self._take(entry)
        if runtime is not None and any(profile.name == "read-only" for profile in self._chain):
            self._made.add(Right.NONE, runtime, 0)
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
                self._keep(root, found)
        for path, rule in writable.items():
            if path not in self._places.workspace and not rule.is_file:
                self._keep_near(path)
        for base in list(self._globs):
            self._survey(base, is_written=False)
        self._close()
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
        elif os.path.lexists(entry.path) and not self._is_kept_out(entry.path):
            self._take_existing(entry)
        elif entry.layer == self._named_last:
            self._take_absent(entry)
        elif entry.right is Right.READ:
            self._made.missing.extend(self._to_keep_out(Part(entry.path)))

    def _take_existing(self, entry: Entry) -> None:
        real = os.path.realpath(entry.path)
        if os.path.lexists(real):  # a link may lead nowhere
            self._made.add(entry.right, real, entry.layer)
        if entry.right is Right.READ and os.path.islink(entry.path):  # noqa: PTH114  # text
            self._made.shortcuts[entry.path] = real

    def _take_absent(self, entry: Entry) -> None:
        kept = list(self._to_keep_out(Part(entry.path)))
        if entry.right is not Right.READ or not kept:
            option = "--read" if entry.right is Right.READ else "--hide"
            raise FolderMissing(f"{option} {entry.named}: no such file or folder")
        self._made.missing.extend(kept)

    def _to_keep_out(self, part: Part) -> Iterator[Part]:
        """Yield it if it is where the command could make it: in a workspace."""
        real, name = _parent_of(part.path)
        content = part.content
        # Nothing can be mounted below what is not there: the first folder that is missing, then.
        while not os.path.lexists(real) or self._is_kept_out(real):
            real, name = _parent_of(real)
            content = None
        # Where we may not make it the command may not, either.
        if self._is_inside(real) and os.access(real, os.W_OK | os.X_OK):
            yield Part(f"{real}/{name}", content)

    def _is_kept_out(self, path: str) -> bool:
        """Whether what is there only keeps a command from making it: in a workspace, like ours."""
        return self._is_inside(_parent_of(path)[0]) and is_mount_point(path)

    def _is_inside(self, folder: str) -> bool:
        return any(_is_within(folder, root) for root in self._kept_in)

    def _refuse_hidden_workspace(self) -> None:
        """Where somebody happens to stand opens nothing that his profile hides."""
        rules = self._made.rules
        opened = {rule.path for rule in rules if rule.layer == self._named_last}
        hidden = {rule.path for rule in rules if rule.right is Right.NONE} - opened
        for root in self._own:
            for path in hidden:
                if _is_within(root, path):
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
                    self._kept.append(path)
        return found

    def _open_repository(self, root: str, layer: int) -> None:
        """Let git work in a further work tree: its objects and branches are elsewhere."""
        from sandbox.repository import common_folder, led_to, parts_of

        common = common_folder(root)
        if common is None or _is_within(common, root):
            return
        path, identity = look_at(common, "repository")
        self._made.add(Right.WRITE, path, layer)
        self._made.identities[path] = identity
        self._kept_in.append(path)
        # Hooks run in the work tree where somebody works: a relative path of theirs leads there.
        inside = parts_of(path, os.path.dirname(path), self._obeyed)  # noqa: PTH120  # text
        for part in (*inside, *led_to(path, root, self._obeyed)):
            self._keep_part(part, is_ours=True)

    def _keep(self, root: str, found: Found | None) -> None:
        """Keep what others obey from being written in a workspace root, there or not."""
        from sandbox.repository import parts

        repositories = found.repositories if found is not None else []
        # An empty folder in its place would be a broken repository to whoever builds there.
        if not os.path.lexists(f"{root}/.git"):
            made = (f"{root}/.git", f"{root}/HEAD")  # with that one it is a bare repository
            self._made.unborn.extend(path for path in made if not os.path.lexists(path))
        for folder in repositories:
            for part in parts(folder, self._obeyed):
                self._keep_part(part, is_ours=True)
        for folder in dict.fromkeys((root, *repositories)):
            for name in SETTINGS:
                self._keep_part(Part(f"{folder}/{name}"), is_ours=folder == root)

    def _keep_near(self, root: str) -> None:
        """The same in what is no workspace: only what git obeys, and only what is there."""
        from sandbox.repository import parts
        from sandbox.scan import survey

        for folder in survey(root, depth=_NEAR_DEPTH, most=_NEAR_ENTRIES).repositories:
            for part in parts(folder, self._obeyed):
                self._keep_part(part, is_ours=False)

    def _keep_part(self, part: Part, *, is_ours: bool) -> None:
        from sandbox.scan import files_led_to

        if part.path in self._opened:
            return
        if os.path.islink(part.path):  # noqa: PTH114  # text
            raise PlanRefused(
                f"{part.path} is a link that the command could turn elsewhere, and others obey "
                f"what it leads to; put the thing itself there, or open it: --write {part.path}"
            )
        # What another run made has to be held by this one, too: it goes with the last that does.
        if not os.path.lexists(part.path) or is_mount_point(part.path):
            self._made.missing.extend(self._to_keep_out(part) if is_ours else ())
            return
        self._kept.append(part.path)
        for target in files_led_to(part.path):
            folder, name = _parent_of(target)
            if self._is_inside(folder):
                self._keep_part(Part(f"{folder}/{name}", b""), is_ours=is_ours)

    def _close(self) -> None:
        """Let what is kept be read-only where it could be written, and nowhere else.

        A command may have made the repository that names it: that opens nothing that is hidden.
        """
        held = in_force(self._made.rules)
        for path in self._kept:
            if _right_at(held, path) is Right.WRITE:
                self._made.add(Right.READ, path, 0)
        # In their order; one that is held twice by us would not be let go.
        self._made.missing[:] = {
            part.path: part
            for part in self._made.missing
            if _right_at(held, part.path) is not Right.NONE
        }.values()


def _top_of(cwd: str, home: str) -> str:
    """The top of the repository around a working directory below home, else that itself."""
    folder = cwd
    while folder != home and _is_within(folder, home):
        if os.path.lexists(f"{folder}/.git"):
            return folder
        folder = os.path.dirname(folder)  # noqa: PTH120  # text
    return cwd


def _parent_of(path: str) -> tuple[str, str]:
    """Where it really lies, and what it is called there."""
    folder, _, name = path.rpartition("/")
    return os.path.realpath(folder or "/"), name


def _right_at(held: Mapping[str, Rule], path: str) -> Right | None:
    """What holds there: the rule at it, or at the nearest folder above that has one."""
    while path and path not in held:
        path = path.rpartition("/")[0]
    rule = held.get(path or "/")
    return rule.right if rule else None


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
