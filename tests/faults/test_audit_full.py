"""The disk of the journal fills up during a run: what can't be recorded is not allowed."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel import read
from tests.support.runs import Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Fetch until one is refused, at most a hundred times; then try once more.
SCRIPT = """
for n in $(seq 100); do
    code=$(curl -s -o /tmp/answer -w '%{http_code}' "$1")
    [ "$code" = 200 ] || break
done
cat /tmp/answer; echo; echo "$n $code"
curl -s -o /dev/null -w '%{http_code}' "$1"
"""


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_a_no_and_costs_no_more_than_that(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    small = f"mount -t tmpfs -o size=64k,mode=700 tmpfs {netproxy.audit}"
    keep = f"cp -r {netproxy.audit} {base}/kept"
    enter = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    script = f'{small}; "$@"; status=$?; {keep}; exit $status'
    netproxy.person = replace(me, prefix=(*enter, script, "sh"))
    with Site() as site:
        url = f"http://site.test:{site.port}/"
        done = netproxy.run(
            *named("site.test"),
            *("--allow", f"site.test:{site.port}", "--ask", "never"),
            command=["sh", "-c", SCRIPT, "sh", url],
        )
    answer, counted, last = filter(None, done.out.splitlines())
    refused_at, code = counted.split()
    assert '"reason": "audit_unavailable"' in answer
    assert (code, last) == ("403", "403")
    assert len(site.visits) == int(refused_at) - 1, "nothing passed that is not on record"
    assert "netproxy run: the audit disk is full: what needs a record is refused" in done.err
    assert done.status == 0, "the ballast left room for the end"
    names = [record.name.removeprefix("netproxy.") for record in read(base / "kept", print)]
    assert "audit.space" in names
    assert names[-4:-1] == ["run.exited", "session.ended", "gateway.stopped"]
    assert names[-1] == "audit.checkpoint"
    netproxy.person = me
    verified = netproxy("audit", "verify", "--audit-dir", f"{base}/kept")
    assert verified.status == 1, "what the trail admits is found"
    assert "integrity: holds\ncompleteness: gaps\n" in verified.out
