"""A run that fails among many is no figure, and bars are judged by medians."""

from __future__ import annotations

import pytest

from bench.errors import BenchFailed
from bench.starting import BARE, HANDED, OWN, together, verdicts


def test_all_have_ended_well_or_it_ends() -> None:
    assert together(("true",), 3) > 0
    with pytest.raises(BenchFailed, match=r"2 of 2 at once failed: exit 3: so it is"):
        together(("sh", "-c", "echo so it is >&2; exit 3"), 2)


def test_one_that_was_killed_has_failed() -> None:
    with pytest.raises(BenchFailed, match=r"1 of 1 at once failed: exit -9"):
        together(("sh", "-c", "kill -9 $$"), 1)


@pytest.mark.parametrize(
    ("handed", "said"),
    [
        pytest.param([70.0, 60.0, 900.0], "60.00 ms, bound ≤ 60 ms, met", id="at its bound"),
        pytest.param([71.0, 60.0, 900.0], "61.00 ms, bound ≤ 60 ms, not met", id="over it"),
    ],
)
def test_what_is_handed_over_is_judged_beyond_bare_bwrap(handed: list[float], said: str) -> None:
    times = {BARE: [10.0, 9.0, 400.0], OWN: [249.0, 250.0, 990.0], HANDED: handed}
    own, beyond = verdicts(times)
    assert str(own) == "with a gateway of its own: 250.00 ms, bound ≤ 250 ms, met"
    assert str(beyond) == f"handed over, beyond bare bwrap: {said}"
