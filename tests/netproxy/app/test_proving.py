"""What the sandbox proved is on record, and nothing goes on where it did not hold."""

from __future__ import annotations

import pytest

from netproxy.app.proving import go_on_only_if_held
from otel.events import Event, SandboxProbed
from sandbox.errors import FenceBroken
from sandbox.proof import Attempt, Proof
from tests.support.fakes import FakeAudit

IO_URING = Attempt(name="io_uring", answer="OK", held=False)
MOUNT = Attempt(name="a mount", answer="EPERM", held=True)


def test_without_a_sandbox_there_is_nothing_to_prove() -> None:
    audit = FakeAudit()
    go_on_only_if_held(None, audit)
    assert audit.events == []


def test_one_that_holds_is_recorded() -> None:
    audit = FakeAudit()
    go_on_only_if_held(Proof(attempts=(MOUNT,), duration_us=4600), audit)
    expected: list[Event] = [SandboxProbed(held=True, attempts=1, duration_ms=5)]
    assert audit.events == expected


def test_one_that_does_not_is_recorded_and_the_end() -> None:
    audit = FakeAudit()
    with pytest.raises(FenceBroken, match="io_uring"):
        go_on_only_if_held(Proof(attempts=(MOUNT, IO_URING), duration_us=400), audit)
    expected: list[Event] = [
        SandboxProbed(held=False, attempts=2, surprises=("io_uring: OK",), duration_ms=0)
    ]
    assert audit.events == expected
