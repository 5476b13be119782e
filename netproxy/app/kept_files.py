"""What others obey where a command may write: hooks, and settings of git, editors and agents.

What is there becomes read-only; what is not there is kept from being made, in a workspace. Looks at
the disk and changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import PlanRefused
from sandbox.links import links_to
from sandbox.model import Part, Right
from sandbox.mountpoints import is_mount_point
from sandbox.paths import is_within
from sandbox.profile import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sandbox.model import Rule

# Below a folder that is no workspace, only what lies in it and right below is looked through.
_NEAR_DEPTH, _NEAR_ENTRIES = 1, 5_000


class KeptFiles:
    """Collects what is to be kept, for a run that opens some workspaces."""

    def __init__(
        self, obeyed: tuple[str, ...], workspaces: Iterable[str], opened: Collection[str]
    ) -> None:
        """`obeyed`: files that git does in every repository.

        `opened`: what was named to be written, as spelled; it is filled meanwhile.
        """
        self._obeyed = obeyed
        self._inside = list(workspaces)  # where nothing that is obeyed can be made
        self._opened = opened
        self._straight = {""}  # folders that no link leads to
        self._there: list[str] = []
        self._absent: list[Part] = []
        self.unborn: list[str] = []  # what makes repositories of workspaces

    def add(self, path: str) -> None:
        """Keep something that is there."""
        self._there.append(path)

    def keep_out(self, path: str) -> bool:
        """Keep it from being made; False: the command could not make it anyway."""
        parts = list(self._to_keep_out(Part(path)))
        self._absent += parts
        return bool(parts)

    def keeps_out(self, path: str) -> bool:
        """Whether what is there only keeps a command from making it: in a workspace, like ours."""
        return self._is_inside(_parent_of(path)[0]) and is_mount_point(path)

    def keep_workspace(self, root: str, repositories: list[str]) -> None:
        """Keep all of it, there or not, in a workspace and the repositories in it."""
        from sandbox.repository import parts

        self._keep_everywhere(root)
        # An empty folder in its place would be a broken repository to whoever builds there.
        if not os.path.lexists(f"{root}/.git"):
            made = (f"{root}/.git", f"{root}/HEAD")  # with that one it is a bare repository
            self.unborn.extend(path for path in made if not os.path.lexists(path))
        for folder in repositories:
            for part in parts(folder, self._obeyed):
                self._keep(part, is_ours=True)
        for folder in dict.fromkeys((root, *repositories)):
            for name in SETTINGS:
                self._keep(Part(f"{folder}/{name}"), is_ours=folder == root)

    def keep_common(self, common: str, root: str) -> None:
        """Keep the repository of a further work tree at `root`, whose objects are elsewhere."""
        from sandbox.repository import led_to, parts_of

        self._inside.append(common)
        # Hooks run in the work tree where somebody works: a relative path of theirs leads there.
        inside = parts_of(common, os.path.dirname(common), self._obeyed)  # noqa: PTH120  # text
        for part in (*inside, *led_to(common, root, self._obeyed)):
            self._keep(part, is_ours=True)

    def keep_near(self, root: str) -> None:
        """The same in what is no workspace: only what git obeys, and only what is there."""
        from sandbox.repository import parts
        from sandbox.scan import survey

        for folder in survey(root, depth=_NEAR_DEPTH, most=_NEAR_ENTRIES).repositories:
            for part in parts(folder, self._obeyed):
                self._keep(part, is_ours=False)

    def read_only(self, held: Mapping[str, Rule]) -> Iterator[str]:
        """Yield what has to be, where these rules hold: what could be written, and nothing else.

        A command may have made the repository that names it: that opens nothing that is hidden.
        """
        return (path for path in self._there if _right_at(held, path) is Right.WRITE)

    def kept_out(self, held: Mapping[str, Rule]) -> list[Part]:
        """List what is to be kept from being made, in its order: held twice, it is not let go."""
        return list(
            {
                part.path: part
                for part in self._absent
                if _right_at(held, part.path) is not Right.NONE
            }.values()
        )

    def _keep_everywhere(self, root: str) -> None:
        """What git obeys in every repository, where it lies in a workspace."""
        from sandbox.repository import led_to_everywhere

        for part in led_to_everywhere(self._obeyed):
            if part.path in self._opened:
                continue
            self._refuse_turnable(f"{part.path}/", part)  # itself included
            real = os.path.realpath(part.path)
            if real != root and is_within(real, root):
                self._keep(Part(real, part.content), is_ours=True)

    def _keep(self, part: Part, *, is_ours: bool) -> None:
        from sandbox.scan import files_led_to

        if part.path in self._opened:
            return
        if os.path.islink(part.path):  # noqa: PTH114  # text
            raise _turnable(part.path, part)
        self._refuse_turnable(part.path, part)
        # What another run made has to be held by this one, too: it goes with the last that does.
        if not os.path.lexists(part.path) or is_mount_point(part.path):
            self._absent.extend(self._to_keep_out(part) if is_ours else ())
            return
        self._there.append(part.path)
        for target in files_led_to(part.path):
            self._refuse_turnable(target, part)
            folder, name = _parent_of(target)
            if self._is_inside(folder):
                self._keep(Part(f"{folder}/{name}", b""), is_ours=is_ours)

    def _refuse_turnable(self, path: str, part: Part) -> None:
        """Where a folder on the way is a link of the command's, what is kept would be another."""
        folder = path.rpartition("/")[0]
        if self._is_straight(folder):
            return
        for link in links_to(Path(folder)):
            if self._is_inside(link.rpartition("/")[0]):
                raise _turnable(link, part)

    def _is_straight(self, folder: str) -> bool:
        """Whether no link leads there. Each folder is looked at once: there may be thousands."""
        if folder not in self._straight:
            parent, _, name = folder.rpartition("/")
            if name == ".." or not self._is_straight(parent) or os.path.islink(folder):  # noqa: PTH114  # text
                return False
            self._straight.add(folder)
        return True

    def _to_keep_out(self, part: Part) -> Iterator[Part]:
        """Yield it if it is where the command could make it: in a workspace."""
        real, name = _parent_of(part.path)
        content = part.content
        # Nothing can be mounted below what is not there: the first folder that is missing, then.
        while not os.path.lexists(real) or self.keeps_out(real):
            real, name = _parent_of(real)
            content = None
        # Where we may not make it the command may not, either. What a configuration says that some
        # command wrote may be longer than any name.
        if self._is_inside(real) and os.access(real, os.W_OK | os.X_OK) and _is_name(name, real):
            yield Part(f"{real}/{name}", content)

    def _is_inside(self, folder: str) -> bool:
        return any(is_within(folder, root) for root in self._inside)


def _turnable(link: str, part: Part) -> PlanRefused:
    return PlanRefused(
        f"{link} is a link that the command could turn elsewhere, and others obey what it leads "
        f"to; put the thing itself there, or open it: --write {part.path}"
    )


def _parent_of(path: str) -> tuple[str, str]:
    """Where it really lies, and what it is called there."""
    folder, _, name = path.rpartition("/")
    return os.path.realpath(folder or "/"), name


def _is_name(name: str, folder: str) -> bool:
    """Whether the file system there has so long ones."""
    return len(os.fsencode(name)) <= os.pathconf(folder, "PC_NAME_MAX")


def _right_at(held: Mapping[str, Rule], path: str) -> Right | None:
    """What holds there: the rule at it, or at the nearest folder above that has one."""
    while path and path not in held:
        path = path.rpartition("/")[0]
    rule = held.get(path or "/")
    return rule.right if rule else None
