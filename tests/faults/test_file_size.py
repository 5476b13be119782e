"""Files may not get big where the caller is (`ulimit -f`): what that means for us, and the command.

Seen to fail with nothing lifted: a run with a gateway of its own got 125 as soon as the journal was
longer, and one that was handed over could not be built.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.handing import Office

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person
    from tests.support.runs import Done

# Less than a journal of two runs, and more than what Python writes when it compiles a file.
BYTES = 16 << 10
FILLS = f"head -c {BYTES + 1} /dev/zero > big; echo $?; wc -c < big; ulimit -S -f; ulimit -H -f"


def limited(office: Office, limit: str, *options: str, script: str) -> Done:
    """A run of a caller with such a limit, as prlimit(1) writes it."""
    alone = office.person
    office.person = replace(alone, prefix=(*alone.prefix, "prlimit", f"--fsize={limit}"))
    try:
        return office.run("--ask", "never", *options, command=("bash", "-c", script))
    finally:
        office.person = alone


def grown(office: Office) -> None:
    """A journal that is longer than a file may get."""
    while sum(each.stat().st_size for each in office.audit.rglob("*.jsonl")) <= BYTES:
        assert office.run("--ask", "never", command=("true",)).status == 0


@pytest.mark.parametrize("options", [(), ("--no-sandbox",)], ids=["own", "no-sandbox"])
def test_a_soft_one_is_the_commands(me: Person, base: Path, options: tuple[str, ...]) -> None:
    """153: SIGXFSZ, as a shell has it."""
    office = Office(me, base)
    grown(office)

    done = limited(office, f"{BYTES}:", *options, script=FILLS)

    assert (done.status, done.out) == (0, f"153\n{BYTES}\n{BYTES >> 10}\nunlimited\n"), done.err


def test_a_soft_one_is_the_commands_where_a_gateway_runs(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never"):
        done = limited(office, "0:", script="ulimit -S -f; ulimit -H -f")
        assert (done.status, done.out) == (0, "0\nunlimited\n"), done.err


def test_a_run_inside_has_it_too(me: Person, base: Path) -> None:
    inner = f"{sys.executable} -I -m netproxy run -- bash -c 'ulimit -S -f'"
    done = limited(Office(me, base), f"{BYTES}:", script=inner)
    assert (done.status, done.out) == (0, f"{BYTES >> 10}\n"), done.err


def test_a_hard_one_is_named(me: Person, base: Path) -> None:
    """Nothing is run without its record, and nothing half is left in the journal."""
    office = Office(me, base)
    grown(office)

    done = limited(office, str(BYTES), script="echo ran")

    assert (done.status, done.out) == (125, "")
    assert "(ulimit -f)" in done.err
    assert office.events()
