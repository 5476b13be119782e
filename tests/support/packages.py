"""What package clients fetch, as pages of a site: a wheel, an npm package, a git repository."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "netproxy-tiny"
_WHEEL = "netproxy_tiny-1.0-py3-none-any.whl"


def python_index() -> dict[str, bytes]:
    """A simple repository (PEP 503) below /simple/ with one wheel."""
    wheel = _wheel()
    digest = hashlib.sha256(wheel).hexdigest()
    link = f'<!DOCTYPE html><a href="/files/{_WHEEL}#sha256={digest}">{_WHEEL}</a>'
    return {f"/simple/{NAME}/": link.encode(), f"/files/{_WHEEL}": wheel}


def _wheel() -> bytes:
    folder = "netproxy_tiny-1.0.dist-info"
    files = {
        "netproxy_tiny.py": "",
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{folder}/RECORD": "",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def npm_registry(site: str) -> dict[str, bytes]:
    """A registry with one package, whose tarball is on the same `site` (`https://host:port`)."""
    tarball = _tarball()
    path = f"/{NAME}/-/{NAME}-1.0.0.tgz"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    version = {
        "name": NAME,
        "version": "1.0.0",
        "dist": {"tarball": site + path, "integrity": integrity},
    }
    packument = {"name": NAME, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    return {f"/{NAME}": json.dumps(packument).encode(), path: tarball}


def _tarball() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        body = json.dumps({"name": NAME, "version": "1.0.0"}).encode()
        member = tarfile.TarInfo("package/package.json")
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    return data.getvalue()


def bare_repository(path: Path) -> Path:
    """A bare git repository with one commit, ready to be served by ssh or as plain files."""
    work = path.parent / "work"
    _git(path.parent, "init", "-q", "-b", "main", str(work))
    (work / "README").write_text("hello\n")
    _git(work, "add", "README")
    _git(work, "commit", "-q", "-m", "first")
    _git(path.parent, "clone", "-q", "--bare", str(work), str(path))
    _git(path, "update-server-info")
    return path


def git_pages(repository: Path, mount: str) -> dict[str, bytes]:
    """The repository as plain files below `mount` (git's "dumb" HTTP)."""
    files = (path for path in repository.rglob("*") if path.is_file())
    return {f"{mount}/{path.relative_to(repository)}": path.read_bytes() for path in files}


def _git(folder: Path, *words: str) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.test"}
    subprocess.run(
        ["git", *words],
        check=True,
        capture_output=True,
        cwd=folder,
        env={**environment, "GIT_CONFIG_NOSYSTEM": "1"},
    )
