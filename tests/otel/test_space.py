from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.space import Space, Step, ballast_size, has_room_again, step

MIB = 1024**2
GIB = 1024**3


@pytest.mark.parametrize(
    ("space", "before", "expected"),
    [
        pytest.param(Space(900 * 1024, MIB), Step.OK, Step.OK, id="small-and-empty"),
        pytest.param(Space(180 * GIB, 1000 * GIB), Step.OK, Step.OK, id="large-with-a-little-left"),
        pytest.param(Space(500 * MIB, 100 * GIB), Step.OK, Step.LOW, id="low"),
        pytest.param(Space(100 * MIB, 100 * GIB), Step.OK, Step.CRITICAL, id="critical"),
        pytest.param(Space(100 * MIB, GIB), Step.OK, Step.LOW, id="a-tenth-of-a-small-one"),
        pytest.param(Space(40 * 1024, MIB), Step.OK, Step.CRITICAL, id="small-and-full"),
        pytest.param(Space(0, MIB), Step.OK, Step.CRITICAL, id="only-a-failed-write-says-full"),
        pytest.param(Space(600 * MIB, 100 * GIB), Step.LOW, Step.LOW, id="not-yet-up"),
        pytest.param(Space(600 * MIB, 100 * GIB), Step.OK, Step.OK, id="nor-down"),
        pytest.param(Space(700 * MIB, 100 * GIB), Step.LOW, Step.OK, id="up"),
        pytest.param(Space(150 * MIB, 100 * GIB), Step.CRITICAL, Step.CRITICAL, id="critical-yet"),
        pytest.param(Space(170 * MIB, 100 * GIB), Step.CRITICAL, Step.LOW, id="low-again"),
    ],
)
def test_the_ladder(space: Space, before: Step, expected: Step) -> None:
    assert step(space, before) is expected


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.sampled_from(Step))
def test_more_room_is_never_a_lower_step(free: int, total: int, before: Step) -> None:
    order = list(Step)
    here = step(Space(free, total), before)
    assert order.index(step(Space(free + MIB, total), before)) <= order.index(here)


@pytest.mark.parametrize(
    ("free", "size"),
    [(0, 0), (16 * 1024 - 1, 0), (60 * 1024, 12288), (MIB, 256 * 1024), (GIB, 256 * 1024)],
)
def test_the_ballast_is_no_burden(free: int, size: int) -> None:
    assert ballast_size(Space(free, 10 * GIB)) == size
    assert size <= free / 4


def test_there_is_room_again_for_records_and_a_new_ballast() -> None:
    assert not has_room_again(Space(300 * 1024, GIB), 256 * 1024)
    assert has_room_again(Space(512 * 1024, GIB), 256 * 1024)
    assert not has_room_again(Space(8192, GIB), 0)
    assert has_room_again(Space(16384, GIB), 0)
