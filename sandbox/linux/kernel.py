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
    # WSL 2 says "microsoft-standard-WSL2", in lower case.
    if "-Microsoft" in Path("/proc/version").read_text(errors="replace"):
        found["wsl"] = "1"
    return found


def seccomp_descriptor(machine: str, *, unix_by_path: bool) -> int:
    """The filter, to be read from its start."""
    return in_memory("seccomp", kernel_filter(machine, unix_by_path=unix_by_path))


def in_memory(name: str, content: bytes) -> int:
    """A file that exists in memory only, to be read from its start; the caller closes it."""
    descriptor = os.memfd_create(name)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
