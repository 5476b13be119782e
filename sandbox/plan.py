"""From what is asked to an ordered, printable list of what will be mounted. Pure.

The order is the argument: everything read-only, then what is private, then what is writable, then
what must stay read-only inside that, and last what nobody may see. A later line wins, so no earlier
choice of the user can open what a later line closes.
A mount point can't be renamed, but a folder above it can, and takes the mount along. So each folder
between a writable one and something of ours becomes a mount point, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sandbox.errors import PlanRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.model import Identity, SandboxSpec

PRIVATE_TMP = "/tmp"  # noqa: S108  # a mount point inside the sandbox, not a file of ours
# Mounted again, these would show the host's processes, settings and devices.
_OF_THE_KERNEL = ("/proc", "/sys", "/dev")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  # named to be told apart from the rest of /dev


class Access(StrEnum):
    """What a mount lets the command do."""

    READ = "read"
    WRITE = "write"
    PRIVATE = "private"  # an empty, writable folder that vanishes with the sandbox
    HIDDEN = "hidden"  # an empty folder that can't even be listed
    # A read-only copy that belongs to the caller. In a user namespace with one user the files of
    # all others seem to be nobody's, and ssh refuses to include those in /etc/ssh/ssh_config.d.
    OWNED = "owned"
    DEVICES = "devices"  # a minimal /dev with its own terminals
    PROCESSES = "processes"  # a /proc that shows the sandbox's own processes only


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the plan."""

    access: Access
    path: str

    def __str__(self) -> str:
        return f"{self.access} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that the backend will do to files, in order."""

    mounts: tuple[Mount, ...]
    working_directory: str
    identities: Mapping[str, Identity]  # of the folders that the command was given

    def lines(self) -> tuple[str, ...]:
        """For people and for the audit event."""
        return tuple(str(mount) for mount in self.mounts)

    def writable(self) -> tuple[str, ...]:
        """The folders of the host that the command may write."""
        return tuple(mount.path for mount in self.mounts if mount.access is Access.WRITE)


def make_plan(spec: SandboxSpec) -> Plan:
    """Order the mounts. Raises PlanRefused for a combination that can't be enforced."""
    writable = list(writable_roots(spec.working_directory, spec.home, spec.writable))
    if "/" in writable:
        raise PlanRefused("the whole disk can't be writable: name the folders that shall be")
    for path in (spec.working_directory, *spec.writable):
        _refuse_inside_hidden(path, spec.hidden)
        _refuse_kernels_own(path)
    _refuse_links(spec, writable)
    mounts = [
        Mount(Access.READ, "/"),
        Mount(Access.DEVICES, "/dev"),
        Mount(Access.PROCESSES, "/proc"),
        Mount(Access.PRIVATE, PRIVATE_TMP),
    ]
    # A working directory in /tmp that may not be written (nobody's home is there, but a home may
    # be) still has to exist inside.
    if _is_within(spec.working_directory, PRIVATE_TMP) and spec.working_directory not in writable:
        mounts.append(Mount(Access.READ, spec.working_directory))
    mounts += [Mount(Access.OWNED, path) for path in _parents_first(spec.owned)]
    pinned = _folders_between(writable, (*spec.protected, *spec.hidden))
    mounts += [Mount(Access.WRITE, path) for path in _parents_first([*writable, *pinned])]
    changed = [PRIVATE_TMP, *writable]
    mounts += [
        Mount(Access.READ, path)
        for path in _parents_first(spec.protected)
        if any(_is_within(path, root) for root in changed)
    ]
    mounts += [Mount(Access.HIDDEN, path) for path in _outermost(spec.hidden)]
    return Plan(
        mounts=tuple(mounts),
        working_directory=spec.working_directory,
        identities={path: spec.identities[path] for path in writable if path in spec.identities},
    )


def writable_roots(directory: str, home: str, named: tuple[str, ...]) -> tuple[str, ...]:
    """What the command may write: the folders it was given, and most working directories."""
    return named if _is_or_above(directory, home) else (*named, directory)


def _refuse_inside_hidden(path: str, hidden: tuple[str, ...]) -> None:
    for root in hidden:
        if _is_within(path, root):
            raise PlanRefused(f"{path} lies in {root}, which is hidden from the command")


def _refuse_kernels_own(path: str) -> None:
    if _is_within(path, _SHARED_MEMORY) and path != _SHARED_MEMORY:
        return
    if any(_is_within(path, root) for root in _OF_THE_KERNEL):
        raise PlanRefused(f"{path} is no folder to work in: what is there belongs to the kernel")


def _refuse_links(spec: SandboxSpec, writable: list[str]) -> None:
    """A link can't be protected, only what it leads to: the command could turn it elsewhere."""
    safe = (*spec.protected, *spec.hidden)
    for link in spec.links:
        if any(_is_within(link, root) for root in safe):
            continue
        if any(_is_within(link, root) for root in writable):
            raise PlanRefused(
                f"the way to netproxy's own files leads through {link}, a link that the command "
                "could change; name the place that it leads to, or move it"
            )


def _folders_between(roots: list[str], closed: tuple[str, ...]) -> list[str]:
    """The folders below one of `roots` and above one of `closed`."""
    return [
        str(parent)
        for path in closed
        for parent in PurePosixPath(path).parents
        if any(_is_within(str(parent), root) and str(parent) != root for root in roots)
    ]


def _is_or_above(path: str, home: str) -> bool:
    """Whether writing `path` would mean writing the whole home folder, or the whole disk."""
    return _is_within(home, path)


def _is_within(path: str, root: str) -> bool:
    return PurePosixPath(path).is_relative_to(root)


def _outermost(paths: tuple[str, ...]) -> list[str]:
    """Without those that lie in another: what is hidden has no inside to mount on."""
    kept: list[str] = []
    for path in _parents_first(paths):
        if not any(_is_within(path, root) for root in kept):
            kept.append(path)
    return kept


def _parents_first(paths: list[str] | tuple[str, ...]) -> list[str]:
    """Without duplicates, so that no mount covers one made before it."""
    return sorted(set(paths), key=lambda path: (path.count("/"), path))
