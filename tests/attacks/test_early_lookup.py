"""A command tries to get a name out by having it looked up; a name server listens to what comes.

In network and mount namespaces of their own, where the only name server is the test's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support import world
from tests.support.people import ROOT
from tests.support.runs import NETPROXY

_WHOLE_SECONDS = 60
_SET_UP = "ip link set lo up && mount --bind {resolv} /etc/resolv.conf"
# The client asks in every way that there is; what it is answered doesn't matter.
CLIENT = """
import os, socket, sys
def ask(variable, data):
    host, port = os.environ[variable].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(data)
        client.recv(1000)
for name in sys.argv[1:]:
    ask("NETPROXY_HTTP", f"CONNECT {name}:443 HTTP/1.1\\r\\nHost: {name}:443\\r\\n\\r\\n".encode())
    ask("NETPROXY_HTTP", f"GET http://{name}/ HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    packed = bytes([len(name)]) + name.encode() + b"\\x01\\xbb"
    ask("NETPROXY_SOCKS", b"\\x05\\x01\\x00\\x05\\x01\\x00\\x03" + packed)
    try:
        socket.create_connection((name, 443), 10).recv(1)  # captured, by an address of ours
    except OSError:
        pass
"""


def asked_about(
    folder: Path, *options: str, names: tuple[str, ...], resolv_conf: str = ""
) -> set[str]:
    """The names that a name server was asked about while a command asked for `names`."""
    if why := world.can_enter():
        pytest.skip(why)
    resolv = folder / "resolv.conf"
    resolv.write_text(f"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n{resolv_conf}")
    script = f'{_SET_UP.format(resolv=resolv)} && exec "$@"'
    program = [sys.executable, "-m", "tests.attacks.test_early_lookup", str(folder)]
    done = subprocess.run(
        [*world._unshare(), "sh", "-c", script, "sh", *program, *options, "--", *names],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT)},
        timeout=_WHOLE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--ask", "never"), id="no-rule"),
        pytest.param(("--deny", "**.site.example"), id="denied"),
        pytest.param((), id="nobody-to-ask"),
    ],
)
def test_a_refused_name_is_never_asked_about(base: Path, options: tuple[str, ...]) -> None:
    seen = asked_about(
        base, "--on-denial", "block", *options, names=("secret.site.example", "a.b", "localhost")
    )
    assert seen == set()


def test_the_name_server_would_have_heard_of_it(base: Path) -> None:
    """The control: what is allowed is asked about, and nothing else is."""
    options = ("--on-denial", "block", "--ask", "never", "--allow", "good.site.example")
    seen = asked_about(base, *options, names=("good.site.example", "secret.site.example"))
    assert {name.partition(".site.example")[0] for name in seen} == {"good"}


def test_an_allowed_name_is_not_asked_about_below_another_one(base: Path) -> None:
    """Where that one's owner could answer it (RFC 1535). Its search list is a Kubernetes pod's."""
    seen = asked_about(
        base,
        *("--on-denial", "block", "--ask", "never", "--allow", "good.site.example"),
        names=("good.site.example",),
        resolv_conf="search corp.example\noptions ndots:5\n",
    )
    assert seen == {"good.site.example"}


class _NameServer:
    """Knows nothing, says so, and remembers what it was asked about."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            packet, client = self._socket.recvfrom(4096)
            labels, at = [], 12
            while length := packet[at]:
                labels.append(packet[at + 1 : at + 1 + length].decode())
                at += 1 + length
            self.names.add(".".join(labels))
            # RFC 1035 section 4.1.1: a response, name error, the question as it came.
            self._socket.sendto(packet[:2] + b"\x81\x83" + packet[4:], client)


def main() -> None:
    """Inside: the name server, and one run. Prints what was asked about, as JSON."""
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    cut = words.index("--")
    server = _NameServer()
    workspace = folder / "workspace"
    workspace.mkdir()
    command = [sys.executable, "-c", CLIENT, *words[cut + 1 :]]
    run = [*NETPROXY, "run", "--audit-dir", str(folder / "audit"), *words[:cut], "--"]
    done = subprocess.run(
        [*run, *command],
        cwd=workspace,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.returncode}: {done.stderr}")
    json.dump(sorted(server.names), sys.stdout)


if __name__ == "__main__":
    main()
