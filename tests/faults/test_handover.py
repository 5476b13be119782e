"""kill -9 of the gateway or the launcher of a run that was handed over: it ends, all of it."""

from __future__ import annotations

import fcntl
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_gateway_killed import (
    FAMILY,
    assert_nothing_is_left,
    processes,
    seen_on_the_machine,
    wait_for,
)
from tests.support.handing import Office

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person


@pytest.mark.parametrize("victim", ["gateway", "launcher"])
def test_nothing_survives_and_nothing_is_left(person: Person, base: Path, victim: str) -> None:
    office = Office(person, base)
    mark = f"7{os.getpid()}{len(victim)}.{int(person.name == 'user')}"
    person.owns(office.workspace / "here")
    with office.gateway("--ask", "never") as service:
        before = seen_on_the_machine(office)
        command = ("sh", "-c", FAMILY.format(mark=mark).replace("touch here", "echo up"))
        with office.begin("--ask", "never", command=command) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            wait_for(lambda: len(processes(mark)) >= 6)
            os.kill(service.pid if victim == "gateway" else running.pid, signal.SIGKILL)
            wait_for(lambda: not processes(mark))
            running.wait(30)
            assert running.stderr is not None
            said = running.stderr.read()
        if victim == "launcher":
            wait_for(lambda: bool(office.events("netproxy.run.exited")))
            (exited,) = office.events("netproxy.run.exited")
            assert exited["netproxy.cancel.cause"] == "launcher_lost"
            assert office.run("--ask", "never", command=("true",)).status == 0
            assert office.gateways() == 1
            assert service.stop() == 0
        else:
            service.process.wait()
            assert running.returncode == 125
            assert said == (
                "netproxy run: stopped the command: the gateway that it was run by has ended\n"
            )
    # What a killed gateway leaves is a name; the next run sees that nobody is there.
    assert office.run("--ask", "never", command=("true",)).status == 0
    assert office.gateways() == 2
    assert_nothing_is_left(office, before)
    done = office("audit", "verify", "--audit-dir", str(office.audit))
    assert done.status == 0, done.out + done.err


def test_a_gateway_that_says_nothing_is_not_waited_for(me: Person, base: Path) -> None:
    """Stopped, as a debugger does: its socket takes connections, and that is all."""
    office = Office(me, base)
    with office.gateway("--ask", "never") as service:
        service.signal(signal.SIGSTOP)
        assert office.run("--ask", "never", command=("true",)).status == 0
        service.signal(signal.SIGCONT)
    assert office.gateways() == 2


def test_a_gateway_that_says_nothing_of_the_end_is_not_called_gone(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never") as service:
        script = "echo up; read -r _"
        with office.begin("--ask", "never", command=("sh", "-c", script)) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            service.signal(signal.SIGSTOP)
            _, said = running.communicate("\n", timeout=60)
        service.signal(signal.SIGCONT)
    assert running.returncode == 125
    assert said == (
        "netproxy run: the command ended, which may not be on record: "
        "the gateway that it was run by does not answer\n"
    )


def test_what_can_not_be_built_is_said_as_ever(me: Person, base: Path) -> None:
    """Another run is about to remove a mount point, and never does."""
    office = Office(me, base)
    (office.workspace / ".vscode").mkdir()
    (office.workspace / ".vscode").chmod(0o1755)
    holder = os.open(office.workspace / ".vscode", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with office.gateway("--ask", "never"):
        handed, own = (
            office.run("--ask", "never", "--gateway", kind, command=("true",))
            for kind in ("auto", "own")
        )
    os.close(holder)
    assert (handed.status, handed.err) == (own.status, own.err)
    assert own.status == os.EX_USAGE
