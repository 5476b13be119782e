from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from approvals.memory import SessionMemory
from approvals.model import Key, Scope, Verdict
from tests.support.approvals import KEY, answer, grant

KEYS = st.builds(
    Key,
    session=st.sampled_from(["s-1", "s-2"]),
    host=st.sampled_from(["a.example", "b.example", "a.example.b.example", "10.0.0.1"]),
    protocol=st.sampled_from(["http", "https", "socks5-tcp", "socks5-udp", "tcp"]),
    port=st.sampled_from([80, 443, 8443]),
)


@given(KEYS, KEYS)
def test_a_grant_never_matches_another_key(granted: Key, asked: Key) -> None:
    memory = SessionMemory()
    memory.remember(grant(granted))
    memory.lease(grant(granted))
    assert (memory.grant(asked) is not None) is (asked == granted)
    assert (memory.take_lease(asked) is not None) is (asked == granted)


def test_a_denial_beats_a_grant_whichever_came_first() -> None:
    yes, no = grant(), grant(said=answer(Verdict.DENY, Scope.SESSION))
    for order in ((yes, no), (no, yes)):
        memory = SessionMemory()
        for one in order:
            memory.remember(one)
        assert memory.grant(KEY) is None
        assert memory.denial(KEY) is no


def test_a_lease_serves_once() -> None:
    memory = SessionMemory()
    lease = grant()
    memory.lease(lease)
    assert memory.take_lease(KEY) is lease
    assert memory.take_lease(KEY) is None
    assert not memory.drop_lease(lease)


def test_dropping_a_lease_leaves_a_newer_one_alone() -> None:
    memory = SessionMemory()
    old, new = grant(), grant()
    memory.lease(new)
    assert not memory.drop_lease(old)
    assert memory.drop_lease(new)


def test_everything_is_forgotten_one_by_one() -> None:
    memory = SessionMemory()
    memory.remember(grant())
    memory.remember(grant(said=answer(Verdict.DENY, Scope.SESSION)))
    assert len(list(memory.forget_all())) == 2
    assert (memory.grant(KEY), memory.denial(KEY)) == (None, None)
