"""A command that nobody trusts looks for the inbox that could set it free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Every way that curl knows to one port of loopback, through the proxy and past it.
_TRIES = r"""
port=$1
for host in 127.0.0.1 localhost 127.1 2130706433 0.0.0.0 '[::1]' '[::ffff:127.0.0.1]'; do
  for way in "--noproxy *" "-x $NETPROXY_HTTP" "-p -x $NETPROXY_HTTP" \
    "-x socks5h://$NETPROXY_SOCKS"; do
    set -f
    if curl -s -o /dev/null -f -m 2 $way "http://$host:$port/login"; then
      echo "reached $host $way"
    fi
  done
done
echo tried
"""


@pytest.mark.parametrize("rule", [(), ("--allow", "127.0.0.1:*")], ids=["no rule", "a rule"])
def test_no_command_reaches_the_inbox(me: Person, base: Path, rule: tuple[str, ...]) -> None:
    """Not directly, and not through the proxy either, where loopback is allowed for something."""
    netproxy = Netproxy(me, base)
    runtime = me.owns(base / "runtime")
    runtime.chmod(0o700)
    port = free_port()
    done = netproxy.run(
        "--inbox",
        f"127.0.0.1:{port}",
        "--on-denial",
        "block",
        *rule,
        command=("sh", "-c", _TRIES, "sh", str(port)),
        environment={"XDG_RUNTIME_DIR": str(runtime)},
    )
    assert f"inbox on http://127.0.0.1:{port}" in done.err
    assert done.out == "tried\n", done.out
