"""Real parents: squid with a password, microsocks with one, and ssh -D, behind `netproxy run`."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from tests.support.origins import Recorder, origin
from tests.support.runs import Netproxy
from tests.support.sshd import sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

PATIENCE_SECONDS = 30.0
_SQUID = """
http_port 127.0.0.1:{port}
acl all_ports port 1-65535
http_access allow all
cache deny all
access_log none
cache_log {folder}/cache.log
pid_filename {folder}/squid.pid
coredump_dir {folder}
shutdown_lifetime 0 seconds
"""
HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@contextmanager
def server(command: list[str], port: int) -> Iterator[int]:
    if shutil.which(command[0], path="/usr/sbin:/usr/bin:/bin") is None:
        pytest.skip(f"{command[0]} is not installed")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.02)
            else:
                break
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@contextmanager
def squid(folder: Path) -> Iterator[int]:
    port = free_port()
    folder.chmod(0o777)
    configuration = folder / "squid.conf"
    configuration.write_text(_SQUID.format(port=port, folder=folder))
    with server(["squid", "-N", "-f", str(configuration)], port):
        yield port


def configure(netproxy: Netproxy, url: str, *, secret: str | None = None) -> None:
    folder = netproxy.config / "netproxy"
    netproxy.person.owns(folder)
    credentials = ""
    if secret is not None:
        (folder / "corp.secret").write_text(secret)
        (folder / "corp.secret").chmod(0o600)
        credentials = f'credentials_file = "{folder}/corp.secret"\n'
    (folder / "config.toml").write_text(
        f'[parents.corp]\nurl = "{url}"\n{credentials}\n'
        '[[routes]]\nhosts = ["127.0.0.1"]\nto = "corp"\n'
    )


def fetched(netproxy: Netproxy, url: str, *options: str) -> str:
    done = netproxy.run(
        "--allow", "127.0.0.1:*", "--ask", "never", command=["curl", "-sS", *options, url]
    )
    assert done.status == 0, done.err
    return done.out


def used(netproxy: Netproxy) -> list[str]:
    return [event["netproxy.parent.target"] for event in netproxy.events("netproxy.parent.used")]


def test_squid(netproxy: Netproxy, tmp_path: Path) -> None:
    folder = tmp_path / "squid"
    folder.mkdir()
    with squid(folder) as port, origin(Recorder(HI)) as far:
        configure(netproxy, f"http://127.0.0.1:{port}")
        url = f"http://127.0.0.1:{far.port}/"
        assert fetched(netproxy, url) == "hi"
        assert fetched(netproxy, url, "--proxytunnel") == "hi"
        assert used(netproxy) == [f"127.0.0.1:{far.port}"] * 2


def test_microsocks_with_a_password(netproxy: Netproxy) -> None:
    port = free_port()
    command = ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-u", "joe", "-P", "hunter2"]
    with server(command, port), origin(Recorder(HI)) as far:
        configure(netproxy, f"socks5://127.0.0.1:{port}", secret="joe:hunter2\n")
        url = f"http://127.0.0.1:{far.port}/"
        assert fetched(netproxy, url, "--proxytunnel") == "hi"
        configure(netproxy, f"socks5://127.0.0.1:{port}", secret="joe:wrong\n")
        done = netproxy.run(
            "--allow", "127.0.0.1:*", "--ask", "never", command=["curl", "-sS", "-i", url]
        )
        assert " 500 " in done.out.splitlines()[0]
        assert "proxy_configuration_error" in done.out
        assert not {"joe", "wrong"} & set(done.out.split())
        records = netproxy("audit", "query", "--audit-dir", str(netproxy.audit), "--json").out
        assert "hunter2" not in records
        assert "joe" not in records


def test_a_gateway_is_not_its_own_parent(netproxy: Netproxy) -> None:
    """Each request would come back as another one."""
    port = free_port()
    configure(netproxy, f"http://localhost:{port}")
    done = netproxy("serve", "--listen", f"127.0.0.1:{port}", "--audit-dir", str(netproxy.audit))
    assert done.status == 78
    said = f"parents.corp: http://localhost:{port} is where this gateway listens itself"
    assert done.err.splitlines()[-1].endswith(said)


def test_a_command_finds_neither_the_credentials_nor_the_parents_name(netproxy: Netproxy) -> None:
    configure(netproxy, "http://127.0.0.1:9", secret="joe:hunter2\n")
    folder = netproxy.config / "netproxy"
    done = netproxy.run(
        "--ask",
        "never",
        command=["sh", "-c", f"env; cat {folder}/*; cat /proc/*/cmdline /proc/*/environ; true"],
    )
    assert "hunter2" not in done.out
    assert "corp" not in done.out


def test_ssh_d(netproxy: Netproxy, tmp_path: Path) -> None:
    port = free_port()
    with sshd(tmp_path / "sshd") as remote, origin(Recorder(HI)) as far:
        command = [
            "ssh", "-N", "-D", f"127.0.0.1:{port}", "-p", str(remote.port), "-i", str(remote.key),
            "-o", f"UserKnownHostsFile={remote.known_hosts}", "-o", "BatchMode=yes",
            "-F", "none", f"{remote.login}@127.0.0.1",
        ]  # fmt: skip
        with server(command, port):
            configure(netproxy, f"socks5://127.0.0.1:{port}")
            assert fetched(netproxy, f"http://127.0.0.1:{far.port}/") == "hi"
            assert used(netproxy) == [f"127.0.0.1:{far.port}"]
