"""Files that the command sees in place of the host's own: copies, which bwrap puts there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.capture import loopback_names
from sandbox.linux.kernel import in_memory
from sandbox.plan import Access

if TYPE_CHECKING:
    from sandbox.plan import Plan


def stand_ins(plan: Plan) -> dict[str, int]:
    """Descriptors to read them from, by where they appear; the caller closes them."""
    found: dict[str, int] = {}
    for mount in plan.mounts:
        if mount.access is Access.OWNED:
            found[mount.path] = os.open(mount.path, os.O_RDONLY | os.O_CLOEXEC)
        elif mount.access is Access.HOSTS:
            found[mount.path] = in_memory("hosts", loopback_names(Path(mount.path).read_bytes()))
    return found
