"""Which limit a client is over, and when nobody is even told so."""

from __future__ import annotations

import resource
from dataclasses import replace

import pytest

from netproxy.config import Limits
from netproxy.connection.overload import Overload
from netproxy.transport.capacity import Capacity, Crowd

LIMITS = replace(Limits(), connections_per_run=2, connections_total=3, refusals_per_run=2)


def test_each_limit_has_its_name_and_the_run_comes_first() -> None:
    crowd = Crowd()
    capacity = Capacity(LIMITS, crowd, now=0.0)
    assert capacity.excess(1, 5, now=0.0) is None
    assert capacity.excess(1, capacity.last_descriptor, now=0.0) is Overload.DESCRIPTORS
    crowd.count = 3
    assert capacity.excess(1, 5, now=0.0) is Overload.TOTAL
    assert capacity.excess(2, 5, now=0.0) is Overload.CONNECTIONS


def test_only_who_may_come_in_counts_for_the_rate() -> None:
    capacity = Capacity(replace(LIMITS, connections_per_second=1.0), Crowd(), now=0.0)
    assert capacity.excess(2, 5, now=0.0) is Overload.CONNECTIONS
    assert capacity.excess(0, 5, now=0.0) is None
    assert capacity.excess(0, 5, now=0.1) is Overload.RATE
    assert capacity.excess(0, 5, now=1.2) is None


@pytest.mark.parametrize(
    ("here", "turned_away", "is_exhausted"), [(1, 0, False), (3, 1, False), (4, 2, True)]
)
def test_so_many_more_are_told(here: int, turned_away: int, is_exhausted: bool) -> None:
    assert Capacity(LIMITS, Crowd(), now=0.0).is_exhausted(here, turned_away) is is_exhausted


@pytest.mark.parametrize(("descriptors", "outside"), [(4096, 1024), (1024, 480), (64, 1)], ids=str)
def test_half_of_few_descriptors_are_for_those_inside(descriptors: int, outside: int) -> None:
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    if was[1] != resource.RLIM_INFINITY and was[1] < descriptors:
        pytest.skip("the hard limit is lower")
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, was[1]))
    try:
        assert Capacity(Limits(), Crowd(), now=0.0).outside == outside
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, was)


def test_without_refusals_nobody_is_told() -> None:
    capacity = Capacity(replace(LIMITS, refusals_per_run=0), Crowd(), now=0.0)
    assert not capacity.is_exhausted(1, 0)
    assert capacity.is_exhausted(2, 0)
