"""Takes a program away from one command, and from nothing else on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest


def without(program: str) -> tuple[str, ...]:
    """What to put before a command: a mount namespace in which `program` can't be executed."""
    path = shutil.which(program)
    assert path is not None
    real = shlex.quote(os.path.realpath(path))
    as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
    prefix = ("unshare", *as_root, "--mount", "--propagation", "private")
    script = f'mount --bind /dev/null {real} && exec "$@"'
    command = (*prefix, "sh", "-c", script, "sh")
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make namespaces, so nothing can be hidden")
    return command
