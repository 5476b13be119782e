"""bwrap's complaints as causes and fixes. Pure: what the host says of itself comes as text.

bwrap says which step failed and errno; why this host refuses that step is in its settings, or in
what it is (a container, WSL 1). The first row that fits is the answer, so the order is from what is
certain to what is likely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.errors import FenceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

# --disable-userns came with 0.8.0; without it the command can make user namespaces of its own.
MINIMUM_VERSION = (0, 8)

_CONTAINER = (
    "run netproxy on the host, or give the container user namespaces (for Docker: "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Fits when bwrap said one of `said` and the setting has that value."""

    said: tuple[str, ...]
    setting: tuple[str, str] | None = None
    cause: str
    fix: str

    def fits(self, said: str, settings: Mapping[str, str]) -> bool:
        """Tell whether it does."""
        has = self.setting is None or settings.get(self.setting[0]) == self.setting[1]
        return has and any(each in said for each in self.said)


# What bwrap says when a namespace, or something in it, is refused. Ubuntu 24.04 lets everybody make
# a user namespace, and takes away the capabilities in it.
_REFUSED = (
    "namespace", "uid map", "RTM_NEWADDR", "RTM_NEWLINK", "NETLINK_ROUTE", "pivot_root", "mount",
    "Operation not permitted",
)  # fmt: skip

ROWS = (
    _Row(
        said=("Unknown option",),
        cause=f"this bwrap is older than {'.'.join(map(str, MINIMUM_VERSION))}",
        fix="upgrade bubblewrap",
    ),
    _Row(
        said=(
            "setuid mode",
            "Unexpected setuid user",
            "Unexpected capabilities",
            "capset failed",
            # Only with powers of its own does bwrap lack those of whoever started it.
            "max_user_namespaces: Permission denied",
        ),
        cause="this bwrap is installed setuid, or with capabilities, and refuses what the fence "
        "needs",
        fix="type: sudo chmod u-s $(command -v bwrap); sudo setcap -r $(command -v bwrap)",
    ),
    _Row(
        said=("Exceeded maximum number of arguments",),
        cause="the plan has more mounts than bwrap takes (9,000 words)",
        fix="name fewer folders, or start in a smaller one; --dry-run shows the plan",
    ),
    _Row(
        said=("Can't chdir to",),
        cause="the working directory can't be entered inside the sandbox",
        fix="start in a folder that you may enter and that no profile hides",
    ),
    _Row(
        # With the path, in which any word may be.
        said=(
            "Can't find source path",
            "Can't get type of source",
            "realpath(destination): No such file or directory",
            "on destination: No such file or directory",
        ),
        cause="a path was moved or removed while the sandbox was built, or is out of reach",
        fix="start it again; netproxy run --dry-run shows all paths",
    ),
    _Row(
        said=("Resource temporarily unavailable", "Can't fork"),
        cause="no more processes may be started",
        fix="end some, or raise the limit (ulimit -u; for a container: --pids-limit)",
    ),
    _Row(
        said=("Cannot allocate memory",),
        cause="there is no memory for a process",
        fix="free some, or raise the container's limit",
    ),
    _Row(
        said=_REFUSED,
        setting=("wsl", "1"),
        cause="WSL 1 has no namespaces",
        fix="in PowerShell type: wsl --set-version DISTRIBUTION 2",
    ),
    _Row(
        said=("does not support user namespaces",),
        cause="this kernel has no user namespaces (CONFIG_USER_NS)",
        fix="use a kernel that has them",
    ),
    _Row(
        said=("limit", "ENOSPC", "No space left on device"),
        setting=("user.max_user_namespaces", "0"),
        cause="the number of user namespaces is limited to 0",
        fix="type: sudo sysctl user.max_user_namespaces=15000",
    ),
    _Row(
        said=("ENOSPC", "No space left on device"),
        cause="there are too many namespaces, or they are nested too deep (32)",
        fix="end some; sysctl user shows the limits",
    ),
    _Row(
        said=("mount proc", "max_user_namespaces: Read-only"),
        cause="the kernel refuses a new /proc, because parts of the one here are covered, as in "
        "most containers",
        fix="run netproxy on the host, or start the container with a /proc of its own (for Docker: "
        "--security-opt systempaths=unconfined; Kubernetes: procMount: Unmasked)",
    ),
    _Row(
        said=_REFUSED,
        setting=("kernel.apparmor_restrict_unprivileged_userns", "1"),
        cause="AppArmor restricts unprivileged user namespaces",
        fix="allow them for bwrap with a profile, or: "
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    _Row(
        said=_REFUSED,
        setting=("kernel.unprivileged_userns_clone", "0"),
        cause="the kernel refuses unprivileged user namespaces",
        fix="type: sudo sysctl kernel.unprivileged_userns_clone=1",
    ),
    _Row(
        said=("Read-only file system",),
        cause="a folder to mount on can't be made on a read-only disk",
        fix="netproxy run --dry-run shows which; make it, or leave it out",
    ),
    _Row(
        said=_REFUSED,
        cause="namespaces or mounts are refused here, as in most containers",
        fix=_CONTAINER,
    ),
)


def explain(complaint: str, settings: Mapping[str, str]) -> FenceUnavailable:
    """Name the cause behind bwrap's own words, and the line to type.

    `settings` are those of the kernel that matter, as read; a missing one does not exist here.
    """
    said = complaint.strip().removeprefix("bwrap: ") or "bwrap ended without a word"
    for row in ROWS:
        if row.fits(said, settings):
            return FenceUnavailable(f"{row.cause} ({said})", row.fix)
    return FenceUnavailable(f"bwrap failed: {said}", "netproxy doctor says more")
