"""A real sshd on a loopback port: an ordinary process with a host key and one authorized key.

It lets in whoever runs it. Run as root it wants a folder below /run; that one lies in a private
mount namespace, so the host is not changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS = 20.0
_SEARCH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_CONFIGURATION = """
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
_AS_ROOT = 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """A running server: `login` is the only user, `key` the private key that it lets in."""

    port: int
    login: str
    key: Path
    known_hosts: Path


@contextmanager
def sshd(folder: Path, *, address: str = "127.0.0.1", reader: int | None = None) -> Iterator[Sshd]:
    """A server that runs until the end; `reader` is the uid that gets the key (None: our own)."""
    program = shutil.which("sshd", path=_SEARCH)
    if program is None or shutil.which("ssh") is None:
        pytest.skip("openssh-server and openssh-client are not both installed")
    folder.mkdir()
    server = _prepare(folder, address, reader)
    command = [program, "-D", "-e", "-f", str(folder / "config")]
    if os.getuid() == 0:
        private = ("unshare", "--mount", "--propagation", "private")
        command = [*private, "sh", "-c", _AS_ROOT, "sh", *command]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        try:
            _await(process, address, server.port, folder / "log")
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def _prepare(folder: Path, address: str, reader: int | None) -> Sshd:
    for name in ("host_key", "user_key"):
        command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f")
        subprocess.run([*command, str(folder / name)], check=True, capture_output=True)
    if reader not in {None, os.getuid()}:
        shutil.chown(folder / "user_key", reader)
    port = free_port(address)
    text = _CONFIGURATION.format(folder=folder, port=port, address=address)
    (folder / "config").write_text(text)
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"* {(folder / 'host_key.pub').read_text()}")
    login = pwd.getpwuid(os.getuid()).pw_name
    return Sshd(port=port, login=login, key=folder / "user_key", known_hosts=known_hosts)


def _await(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection((address, port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(f"sshd does not answer: {log.read_text()}")
