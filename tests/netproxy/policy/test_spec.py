"""What a policy leaves unsaid is the narrow reading of it."""

from __future__ import annotations

from netproxy.model import OnDenial, Verdict
from netproxy.policy.blocks import NO_BLOCKS
from netproxy.policy.spec import Mode, PolicySpec


def test_nothing_private_is_open_and_nothing_bounds_it() -> None:
    spec = PolicySpec(rules=(), default=Verdict.ASK, mode=Mode.FULL, on_denial=OnDenial.CANCEL)
    assert (spec.allow_private, spec.ceiling) == (NO_BLOCKS, None)
