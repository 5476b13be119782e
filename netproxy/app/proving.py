"""The record of what the sandbox proved of itself, before the command runs, and the word on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.events import SandboxProbed

if TYPE_CHECKING:
    from netproxy.ports import AuditSink
    from sandbox.proof import Proof


def go_on_only_if_held(proof: Proof | None, audit: AuditSink) -> None:
    """Record it, also where it did not hold; then raise FenceBroken. None: there is no sandbox."""
    if proof is None:
        return
    audit.record(
        SandboxProbed(
            held=proof.held,
            attempts=len(proof.attempts),
            surprises=tuple(f"{each.name}: {each.answer}" for each in proof.surprises),
            duration_ms=round(proof.duration_us / 1000),
        )
    )
    proof.demand()
