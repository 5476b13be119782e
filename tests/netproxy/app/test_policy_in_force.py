"""Whoever holds the policy in force is answered by the snapshot that was swapped in last."""

from __future__ import annotations

import pytest

from netproxy.app.policy_in_force import PolicyInForce
from netproxy.model import OnDenial, Verdict
from tests.support.policies import Memory, allow, deny, policy, to

PYPI = to("pypi.org:443")


@pytest.mark.parametrize("granted", [False, True])
def test_a_swap_changes_every_answer(granted: bool) -> None:
    """A deny rule comes first in the order, so it beats what the session granted, too."""
    session = Memory(granted={PYPI} if granted else set())
    loose = policy(allow("pypi.org:443"), allow_private=["10.0.0.0/8"])
    in_force = PolicyInForce(loose)
    assert in_force.judge(PYPI, "CONNECT", session).verdict is Verdict.ALLOW
    assert in_force.vet(PYPI, ["10.0.0.1"]).passed == ("10.0.0.1",)

    in_force.swap(policy(deny("pypi.org"), on_denial=OnDenial.BLOCK))
    assert in_force.judge(PYPI, "CONNECT", session).verdict is Verdict.DENY
    assert in_force.vet(PYPI, ["10.0.0.1"]).passed == ()
    assert in_force.name_refusal("pypi.org") is not None
    assert in_force.on_denial is OnDenial.BLOCK


def test_a_grant_of_the_session_holds_across_a_swap_that_only_asks() -> None:
    in_force = PolicyInForce(policy(allow("pypi.org:443")))
    in_force.swap(policy(default=Verdict.ASK))
    assert in_force.judge(PYPI, "CONNECT", Memory()).verdict is Verdict.ASK
    assert in_force.judge(PYPI, "CONNECT", Memory(granted={PYPI})).verdict is Verdict.ALLOW


def test_who_is_told_of_a_swap_meets_the_new_snapshot() -> None:
    in_force = PolicyInForce(policy())
    new = policy(deny("pypi.org"))
    seen: list[object] = []
    in_force.on_swap = lambda: seen.append(in_force.current)
    in_force.swap(new)
    assert seen == [new]
