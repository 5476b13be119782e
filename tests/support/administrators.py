"""Machines that are administrated: each with a managed file in an /etc of its own. Needs root."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

MANAGED = "/etc/netproxy/requirements.toml"
ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can be the administrator")


def managed(person: Person, base: Path, text: str, mode: int = 0o644, owner: int = 0) -> Netproxy:
    """A machine whose /etc has that file: an overlay in a mount namespace of the person's own."""
    folder = base / "etc" / "netproxy"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "requirements.toml"
    file.write_text(text)
    file.chmod(mode)
    os.chown(file, owner, owner)
    layers = f"lowerdir={shlex.quote(str(folder.parent))}:/etc"
    # An overlay of lower layers can't be written by anybody; the file's own folder can, by root.
    bind = f"mount --bind {shlex.quote(str(folder))} /etc/netproxy"
    mount = f'mount -t overlay overlay -o {layers} /etc && {bind} && exec "$@"'
    prefix = ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh")
    return Netproxy(replace(person, prefix=(*prefix, *person.prefix)), base)
