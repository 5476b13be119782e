from __future__ import annotations

from approvals.http.identity import EVERY_PERMISSION, Identity, Permission


def test_one_may_what_was_given_and_nothing_else() -> None:
    reader = Identity(name="bot", channel="api", permissions=frozenset({Permission.READ}))
    assert reader.may(Permission.READ)
    assert not any(reader.may(each) for each in EVERY_PERMISSION - {Permission.READ})
