"""From what is asked to an ordered, printable list of what will be mounted. Pure.

The order is the argument: parents come before what lies in them, so the longest path wins. What is
netproxy's own stands above every rule: its program stays readable, its policy is never writable,
its records are never seen.
A mount point can't be renamed, but a folder above it can, and takes the mount along. So each folder
between a writable one and something closed in it becomes a mount point, too.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.errors import PlanRefused
from sandbox.model import Right, Rule
from sandbox.paths import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sandbox.model import Identity, Part, SandboxSpec

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
    UNREADABLE = "unreadable"  # a file that can't be opened
    # A hidden folder in which some paths are open all the same: those can be reached by name, and
    # nothing can be listed. Once they are mounted it is sealed.
    SPARSE = "sparse"
    SEALED = "sealed"
    LINK = "link"  # a link of the host's, where the folder around it is hidden
    # A read-only copy that belongs to the caller. In a user namespace with one user the files of
    # all others seem to be nobody's, and ssh refuses to include those in /etc/ssh/ssh_config.d.
    OWNED = "owned"
    HOSTS = "hosts"  # a read-only copy of the hosts file, with the names of the loopback only
    DEVICES = "devices"  # a minimal /dev with its own terminals
    PROCESSES = "processes"  # a /proc that shows the sandbox's own processes only


_CHANGEABLE = frozenset({Access.WRITE, Access.PRIVATE, Access.DEVICES, Access.PROCESSES})
_CLOSED = frozenset({Access.HIDDEN, Access.SPARSE, Access.UNREADABLE})
_SHUT = _CLOSED | {Access.SEALED}
_OF_RIGHT = {
    Right.NONE: Access.HIDDEN,
    Right.READ: Access.READ,
    Right.WRITE: Access.WRITE,
    Right.PRIVATE: Access.PRIVATE,
}
_STRICTNESS = {Right.PRIVATE: 0, Right.WRITE: 1, Right.READ: 2, Right.NONE: 3}


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the plan."""

    access: Access
    path: str
    target: str | None = None  # where a link leads

    def __str__(self) -> str:
        return f"{self.access} {self.path}" + (f" -> {self.target}" if self.target else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that the backend will do to files, in order."""

    mounts: tuple[Mount, ...]
    working_directory: str
    identities: Mapping[str, Identity]  # of the folders that the command was given
    missing: tuple[Part, ...] = ()  # read-only places that have to be made for the run
    notes: tuple[str, ...] = ()
    unborn: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """For people and for the audit event."""
        return tuple(str(mount) for mount in self.mounts)

    def summary(self, most: int = 200) -> tuple[str, ...]:
        """The first lines, and how many of each kind there are besides: for the record."""
        lines = self.lines()
        if len(lines) <= most:
            return lines
        rest = Counter(str(mount.access) for mount in self.mounts[most:])
        counts = ", ".join(f"{count} {access}" for access, count in sorted(rest.items()))
        return (*lines[:most], f"and {len(lines) - most} more: {counts}")

    def writable(self) -> tuple[str, ...]:
        """The folders of the host that the command may write."""
        return tuple(mount.path for mount in self.mounts if mount.access is Access.WRITE)

    def would_open(self) -> dict[str, Access]:
        """What is closed by a mount of its own, and what would hold there without that mount."""
        known = {"/": Access.READ}
        known |= {mount.path: mount.access for mount in self.mounts if mount.target is None}
        around = {
            mount.path: _at(known, mount.path.rpartition("/")[0] or "/")
            for mount in self.mounts
            if mount.path != "/" and (mount.access in _CLOSED or mount.access is Access.READ)
        }
        return {
            path: access
            for path, access in around.items()
            if access is Access.WRITE or (access is Access.READ and known[path] in _SHUT)
        }

    def changeable(self) -> Iterator[str]:
        """The topmost paths below which the command may change something, its own included."""
        some = {mount.path for mount in self.mounts if mount.access in _CHANGEABLE}
        return (
            mount.path
            for mount in self.mounts
            if mount.path in some and some.isdisjoint(_above(mount.path))
        )

    def divided(self, most: int) -> tuple[tuple[Mount, ...], tuple[Mount, ...]]:
        """Part the first `most` from those after them that can as well be made when all are.

        Those are what lies in something writable and is mounted on itself: to be read-only, or to
        be a mount point. What is to be closed otherwise stays among the first, however many.
        """
        if len(self.mounts) <= most:
            return self.mounts, ()
        known = {mount.path: mount.access for mount in self.mounts}
        around = {above for path in known for above in _above(path)}
        early: list[Mount] = list(self.mounts[:most])
        late: list[Mount] = []
        for mount in self.mounts[most:]:
            is_plain = mount.access is Access.WRITE and mount.path not in self.identities
            is_plain |= mount.access is Access.READ and mount.path not in around
            parent = mount.path.rpartition("/")[0] or "/"
            is_late = is_plain and _at(known, parent) is Access.WRITE
            (late if is_late else early).append(mount)
        return tuple(early), tuple(late)

    def lets_write(self, path: str) -> bool:
        """Whether the command may write what is at an absolute path without symlinks."""
        return self._access_at(path) is Access.WRITE

    def shows_link(self, path: str) -> bool:
        """Whether a link of this host's, at such a path, is there inside as well."""
        is_made = any(mount.path == path and mount.target is not None for mount in self.mounts)
        return is_made or self._access_at(path) in {Access.READ, Access.WRITE}

    def _access_at(self, path: str) -> Access:
        mounted = {mount.path: mount.access for mount in self.mounts if mount.target is None}
        return _at({"/": Access.READ} | mounted, path)


def make_plan(spec: SandboxSpec) -> Plan:
    """Order the mounts. Raises PlanRefused for a combination that can't be enforced."""
    kept_out = (Rule(right=Right.READ, path=part.path) for part in spec.missing)
    rules = in_force((*kept_out, *spec.rules))
    final = _finally(spec, rules)
    _refuse_impossible(spec, rules, final)
    mounts = [*_foundation(spec, final), *_mounts(spec, final)]
    made = set(mounts)
    sparse = [mount.path for mount in mounts if mount.access is Access.SPARSE]
    mounts += [Mount(Access.SEALED, path) for path in sparse]
    return Plan(
        mounts=tuple(mounts),
        working_directory=spec.working_directory,
        identities={
            path: identity
            for path, identity in spec.identities.items()
            if final.get(path) is Access.WRITE
        },
        missing=tuple(part for part in spec.missing if Mount(Access.READ, part.path) in made),
        notes=spec.notes,
        unborn=spec.unborn,
    )


def in_force(rules: Iterable[Rule]) -> dict[str, Rule]:
    """The one rule at each path that counts."""
    best: dict[str, Rule] = {}
    for rule in rules:
        other = best.get(rule.path)
        if other is None or _rank(rule) > _rank(other):
            best[rule.path] = rule
    return best


def _rank(rule: Rule) -> tuple[int, int]:
    return rule.layer, _STRICTNESS[rule.right]


def _finally(spec: SandboxSpec, rules: Mapping[str, Rule]) -> dict[str, Access]:
    """What holds at each path that is named; below it the same, down to the next one."""
    final = {"/": Access.HIDDEN}
    for path, rule in rules.items():
        final[path] = _OF_RIGHT[rule.right]
        if rule.is_file and rule.right is Right.NONE:
            final[path] = Access.UNREADABLE
    ours = (*spec.program, *spec.protected)
    for path in [path for path in final if _lies_in(path, ours)]:
        if final[path] not in _CLOSED:
            del final[path]
    final |= dict.fromkeys(spec.hidden, Access.HIDDEN)
    # Not where it is hidden: nothing has to open a policy file inside.
    final |= {path: Access.READ for path in spec.protected if _at(final, path) not in _CLOSED}
    final |= {path: Access.READ for path in spec.program if path not in spec.hidden}
    # A working directory below /tmp has to exist inside, written or not.
    directory = spec.working_directory
    if directory != PRIVATE_TMP and _at(final, directory) is Access.PRIVATE:
        final[directory] = Access.READ
    openings = [path for path, access in final.items() if access not in _CLOSED]
    for path in {above for opening in openings for above in _above(opening)}:
        if final.get(path) is Access.HIDDEN:
            final[path] = Access.SPARSE
    return final | dict.fromkeys(_pinned(final), Access.WRITE)


def _pinned(final: Mapping[str, Access]) -> Iterator[str]:
    """The folders between a writable one and something closed or read-only in it."""
    for path, access in final.items():
        if access is Access.WRITE or path == "/":
            continue
        if _at(final, path.rpartition("/")[0] or "/") is Access.WRITE:
            yield from takewhile(lambda above: above not in final, _above(path))


def _refuse_impossible(
    spec: SandboxSpec, rules: Mapping[str, Rule], final: Mapping[str, Access]
) -> None:
    for path, rule in rules.items():
        if rule.right is not Right.NONE:
            _refuse_inside_ours(path, spec.hidden)
        if path != "/":
            _refuse_kernels_own(path)
    _refuse_inside_ours(spec.working_directory, spec.hidden)
    _refuse_kernels_own(spec.working_directory)
    if _at(final, spec.working_directory) in _CLOSED:
        raise PlanRefused(
            f"the working directory {spec.working_directory} is hidden from the command; "
            "start somewhere else, or open it with --read or --write"
        )
    for link in spec.links:
        # A link can't be protected, only what it leads to: the command could turn it elsewhere.
        if _at(final, link) is Access.WRITE:
            raise PlanRefused(
                f"the way to netproxy's own files leads through {link}, a link that the command "
                "could change; name the place that it leads to, or move it"
            )


def _refuse_inside_ours(path: str, hidden: tuple[str, ...]) -> None:
    for root in hidden:
        if is_within(path, root):
            raise PlanRefused(f"{path} lies in {root}, which is hidden from the command")


def _refuse_kernels_own(path: str) -> None:
    if is_within(path, _SHARED_MEMORY) and path != _SHARED_MEMORY:
        return
    if any(is_within(path, root) for root in _OF_THE_KERNEL):
        raise PlanRefused(f"{path} is no folder to work in: what is there belongs to the kernel")


def _foundation(spec: SandboxSpec, final: Mapping[str, Access]) -> Iterator[Mount]:
    """What everything else is mounted on."""
    yield Mount(final["/"], "/")
    yield Mount(Access.DEVICES, "/dev")
    yield Mount(Access.PROCESSES, "/proc")
    if final["/"] is Access.WRITE:  # to the kernel root is root, inside as well
        yield Mount(Access.READ, "/sys")
    for path, target in sorted(spec.shortcuts.items()):
        if _at(final, path) in _CLOSED:
            yield Mount(Access.LINK, path, target)


def _mounts(spec: SandboxSpec, final: Mapping[str, Access]) -> Iterator[Mount]:
    known = {"/": final["/"]}
    for path in _parents_first(final):
        if path == "/":
            continue
        access, around = final[path], _at(known, path)
        known[path] = access
        # What is hidden has no inside to mount on, and what is read-only needs no second mount.
        if access in {Access.HIDDEN, Access.UNREADABLE} and around in _CLOSED:
            continue
        if access is Access.READ and around is Access.READ:
            continue
        yield Mount(access, path)
    for path in sorted(spec.owned):
        if _at(known, path) is Access.READ:
            yield Mount(Access.OWNED, path)
    if spec.hosts is not None and _at(known, spec.hosts) not in _CLOSED:
        yield Mount(Access.HOSTS, spec.hosts)


def _at(known: Mapping[str, Access], path: str) -> Access:
    """What holds at a path: the entry nearest above it, or its own."""
    while (found := known.get(path)) is None:
        path = path.rpartition("/")[0] or "/"
    return found


def _above(path: str) -> Iterator[str]:
    """The folders above, innermost first; of `/`, none."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def _lies_in(path: str, folders: Iterable[str]) -> bool:
    return any(path != folder and is_within(path, folder) for folder in folders)


def _parents_first(paths: Iterable[str]) -> list[str]:
    """So that no mount covers one made before it."""
    return sorted(paths, key=lambda path: (path.count("/"), path))
