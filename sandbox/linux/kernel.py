"""What the kernel of this host is asked: settings that decide about namespaces, and the filter."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.linux.seccomp import kernel_filter

_SYSCTLS = (
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.unprivileged_userns_clone",
    "user.max_user_namespaces",
)


def read_sysctls() -> dict[str, str]:
    """The settings that exist here, by name."""
    found = {}
    for name in _SYSCTLS:
        path = Path("/proc/sys", *name.split("."))
        try:
            found[name] = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
    return found


def seccomp_descriptor(machine: str) -> int:
    """A file that exists in memory only, holding the filter, read from its start."""
    descriptor = os.memfd_create("seccomp")
    os.write(descriptor, kernel_filter(machine))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
