"""A run inside a run: can the inner one loosen what the outer one holds, or a variable fake it?

The defences: the kernel is asked whether this is inside (`sandbox.inside`), and inside nothing is
started but the command. Each test was seen to fail without its defence.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import NETPROXY, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

_SHOWS = (
    'grep -E "CapBnd|Seccomp:" /proc/self/status; tail -n +3 /proc/net/dev | cut -d: -f1;'
    " touch /var/tmp/planted && echo wrote;"
    " curl -s -o /dev/null -w '%{http_code}\\n' -m 20 http://denied.test/"
)


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def test_an_inner_run_holds_what_the_outer_holds(netproxy: Netproxy) -> None:
    """Whatever it says of itself, with and without the variables, by either way in."""
    inner = " ".join(NETPROXY)
    opened = "run --allow '*' --allow-private 10.0.0.0/8 --write / --ask never --no-sandbox --"
    script = f"""
        {inner} {opened} sh shows.sh
        env -i PATH="$PATH" {inner} run -- sh -c 'echo "bare ${{NETPROXY:-unset}}"'
        {inner} run --config evil.toml -- echo evil; echo "config $?"
        {inner} run --deny a.test -- echo denied; echo "deny $?"
        {inner} run --timeout 0.2 -- sleep 60; echo "timeout $?"
        {inner} run -- no-such-program; echo "missing $?"
        {inner} run --limit processes=9 -- true; echo "limit $?"
        {inner} doctor | grep -F "joins it"
    """
    (netproxy.workspace / "shows.sh").write_text(_SHOWS)
    (netproxy.workspace / "evil.toml").write_text('[profiles.x.network]\nallow = ["*"]\n')
    done = netproxy.run("--ask", "never", "--on-denial", "block", command=["sh", "-c", script])
    assert done.status == 0, done.err
    shown = [line.strip() for line in done.out.splitlines()]
    assert shown[:4] == ["CapBnd:\t0000000000000000", "Seccomp:\t2", "lo", "403"]
    assert shown[4:9] == ["bare unset", "config 64", "deny 64", "timeout 124", "missing 127"]
    assert shown[9] == ("limit 64" if netproxy.person.uid == 0 else "limit 0")
    assert "joins it" in shown[10]
    assert "not looked at: --allow, --allow-private, --write, --ask, --no-sandbox" in done.err
    (denied,) = [each for each in netproxy.decisions() if each["server.address"] == "denied.test"]
    assert denied["network.policy.decision"] == "deny"


def test_a_variable_switches_nothing_off(netproxy: Netproxy) -> None:
    """Whoever sets them for somebody else's run (an .envrc does) gets no run without a fence."""
    told = {"NETPROXY": "1", "NETPROXY_RUN": "r-1", "NETPROXY_HTTP": "127.0.0.1:3128"}
    done = netproxy.run(
        "--ask", "never", command=["sh", "-c", _SHOWS + "; ls /proc/1"], environment=told
    )
    assert "joins" not in done.err
    assert done.out.split()[:5] == ["CapBnd:", "0000000000000000", "Seccomp:", "2", "lo"]
    assert "wrote" not in done.out


@pytest.mark.skipif(os.getuid() != 0, reason="makes a network for itself")
def test_a_network_without_a_way_out_is_not_inside(netproxy: Netproxy) -> None:
    """Nor with our listener's port taken: this is what a container without network looks like."""
    listens = (
        "import os, socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 3128)); s.listen();"
        "s.set_inheritable(True); os.execvp(sys.argv[1], sys.argv[1:])"
    )
    words = netproxy.argv("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--", "id")
    import subprocess

    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh",
         "setpriv", "--no-new-privs", sys.executable, "-I", "-c", listens, *words],
        cwd=netproxy.workspace, env=netproxy.environment(), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert "joins" not in done.stderr
