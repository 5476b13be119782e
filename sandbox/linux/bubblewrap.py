"""A plan as bwrap's arguments. Pure; what it complains of is in `complaints`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.plan import Access, Mount, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

_FENCE = (
    # user, PID, network, IPC, UTS and cgroup namespaces; --unshare-user again because
    # --unshare-all only tries it, and a fence that tries is no fence.
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    # As root bwrap keeps every capability inside, and with it the power over routes and rules.
    "--cap-drop",
    "ALL",
    # kill -9 of any of ours ends everything inside.
    "--die-with-parent",
    # No way to the caller's terminal (TIOCSTI, /dev/tty).
    "--new-session",
)

# What of /proc is the whole host's. To the kernel root is root by number, without any capability:
# as root, /proc/sys/kernel/core_pattern would be a way to run a program outside. bwrap covers only
# what access(2) says is writable, which looks at folders and not at the files in them.
OF_THE_HOST = (
    "acpi",
    "asound",
    "bus",
    "driver",
    "dynamic_debug",
    "fs",
    "irq",
    "mtrr",
    "pressure",
    "scsi",
    "sys",
    "sysrq-trigger",
)

_MOUNTS: Mapping[Access, tuple[str, ...]] = {
    Access.DEVICES: ("--dev",),
    Access.PRIVATE: ("--perms", "1777", "--tmpfs"),
    Access.HIDDEN: ("--perms", "0000", "--tmpfs"),
    # To be passed through by name, not to be listed.
    Access.SPARSE: ("--perms", "0111", "--tmpfs"),
    Access.SEALED: ("--remount-ro",),
    # A device file where none works (nodev): it can be seen and not be opened.
    Access.UNREADABLE: ("--ro-bind", "/dev/null"),
}
# It takes 9,000 words, and each mount takes up to six. The rest is `sandbox.linux.late_mounts`.
MOST_MOUNTS = 500
# What bwrap starts from.
_EMPTY_ROOT = Mount(Access.SPARSE, "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """Numbers of what bwrap inherits. `owned` are open files, by the path they appear at."""

    info: int
    block: int
    filter: int
    owned: Mapping[str, int]

    def all(self) -> tuple[int, ...]:
        """To pass, and to close afterwards."""
        return (self.info, self.block, self.filter, *self.owned.values())


def arguments(plan: Plan, descriptors: Descriptors, *, directory: str | None = None) -> list[str]:
    """Everything up to the command."""
    words = [*_FENCE, "--info-fd", str(descriptors.info), "--block-fd", str(descriptors.block)]
    words += ["--seccomp", str(descriptors.filter)]
    for mount in plan.divided(MOST_MOUNTS)[0]:
        if mount.target is not None:
            words += ["--symlink", mount.target, mount.path]
        elif mount != _EMPTY_ROOT:
            words += _mount(mount, descriptors.owned)
    return [*words, "--chdir", directory or plan.working_directory, "--"]


def _mount(mount: Mount, owned: Mapping[str, int]) -> list[str]:
    match mount.access:
        case Access.OWNED | Access.HOSTS:
            # 0644: ssh insists on files that nobody else may write.
            return ["--perms", "0644", "--ro-bind-data", str(owned[mount.path]), mount.path]
        case Access.READ | Access.WRITE:
            bind = "--bind" if mount.access is Access.WRITE else "--ro-bind"
            return [bind, mount.path, mount.path]
        case Access.PROCESSES:
            shared = [f"{mount.path}/{name}" for name in OF_THE_HOST]
            covers = [word for path in shared for word in ("--ro-bind-try", path, path)]
            # Whoever can write the memory of bwrap, our init, can have it outlive its parent.
            init = f"{mount.path}/1"
            return ["--proc", mount.path, *covers, "--tmpfs", init, "--remount-ro", init]
        case Access.HIDDEN:
            return [*_MOUNTS[mount.access], mount.path, "--remount-ro", mount.path]
        case _:
            return [*_MOUNTS[mount.access], mount.path]
