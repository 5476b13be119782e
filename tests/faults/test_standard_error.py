"""Nobody can take what a run says on stderr: its status and its record are as ever."""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.support.handing import Office

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

_LAST = ("netproxy.run.exited", "netproxy.session.ended")


def broken(kind: str) -> int:
    if kind == "full":
        return os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.close(reading)
    return writing


def status_of(office: Office, stderr: int, *words: str) -> int:
    return subprocess.run(
        office.argv("run", "--audit-dir", str(office.audit), "--ask", "never", *words),
        check=False, cwd=office.workspace, env=office.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True, timeout=60,
    ).returncode  # fmt: skip


@pytest.mark.parametrize("kind", ["full", "closed"])
@pytest.mark.parametrize("has_gateway", [False, True])
def test_the_end_is_on_record_and_the_status_is_as_ever(
    me: Person, base: Path, kind: str, has_gateway: bool
) -> None:
    office = Office(me, base)
    stderr = broken(kind)
    with office.gateway("--ask", "never") if has_gateway else nullcontext():
        assert status_of(office, stderr, "--timeout", "0.3", "--", "sleep", "20") == 124
        assert status_of(office, stderr, "--", "no-such-command") == 127
    os.close(stderr)
    assert office.gateways() == (1 if has_gateway else 2)
    last = [each["event.name"] for each in office.events() if each["event.name"] in _LAST]
    assert last == [*_LAST, *_LAST]
    if not has_gateway:
        assert len(office.events("netproxy.gateway.stopped")) == 2
