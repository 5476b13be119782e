"""What the demo's clients fetch, made on the fly: a git repository and a Python package."""

from __future__ import annotations

import hashlib
import io
import subprocess  # noqa: TID251  # the demo is a person at a terminal, outside any sandbox
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPOSITORY = "tool.git"
PACKAGE = "demo-parcel"
MODULE = "demo_parcel.py"
_WHEEL = "demo_parcel-1.0-py3-none-any.whl"
# A fixed author: whoever runs the demo may have no name configured.
_AUTHOR = ("-c", "user.name=demo", "-c", "user.email=demo@shop.test")


def repository(folder: Path, environment: Mapping[str, str], text: str) -> dict[str, bytes]:
    """Pages of a git repository with one file, as plain files (git's "dumb" HTTP).

    Raises OSError or CalledProcessError when git can't make one.
    """
    work, bare = folder / "work", folder / REPOSITORY
    work.mkdir(parents=True)
    (work / "README").write_text(text)
    for words in (
        ("init", "-q"),
        ("add", "README"),
        (*_AUTHOR, "commit", "-q", "-m", "first"),
        ("clone", "-q", "--bare", ".", str(bare)),
        ("--git-dir", str(bare), "update-server-info"),
    ):
        subprocess.run(["git", *words], cwd=work, env=dict(environment), check=True)  # noqa: S603, S607  # fixed words; the git that the person would get
    files = (path for path in bare.rglob("*") if path.is_file())
    return {f"/{path.relative_to(folder)}": path.read_bytes() for path in files}


def package_index(text: str) -> dict[str, bytes]:
    """Pages of a simple repository (PEP 503) with one wheel, whose module holds `text`."""
    wheel = _wheel(text)
    digest = hashlib.sha256(wheel).hexdigest()
    link = f'<!DOCTYPE html><a href="/files/{_WHEEL}#sha256={digest}">{_WHEEL}</a>'
    return {f"/simple/{PACKAGE}/": link.encode(), f"/files/{_WHEEL}": wheel}


def _wheel(text: str) -> bytes:
    notes = "demo_parcel-1.0.dist-info"
    files = {
        MODULE: text,
        f"{notes}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n",
        f"{notes}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{notes}/RECORD": "",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()
