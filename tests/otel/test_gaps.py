from __future__ import annotations

from otel.gaps import Loss, together
from tests.support.journals import NOON_NS

SECOND_NS = 10**9


def test_a_loss_is_admitted_with_its_number_and_its_time() -> None:
    gap = Loss(3, "EIO", NOON_NS, NOON_NS + 2 * SECOND_NS).gap()
    assert (gap.lost, gap.error_type) == (3, "EIO")
    assert gap.from_time == "2026-01-02T03:04:05.678Z"
    assert gap.to_time == "2026-01-02T03:04:07.678Z"


def test_two_losses_are_one_from_the_first_to_the_last() -> None:
    early = Loss(1, "EIO", 5, 9)
    late = Loss(2, "ENOSPC", 7, 8)
    assert together(early, late) == Loss(3, "ENOSPC", 5, 9)
    assert together(None, late) == late
    assert together(early, None) == early
    assert together(None, None) is None
