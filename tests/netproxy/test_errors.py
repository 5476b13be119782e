from __future__ import annotations

from netproxy.errors import DestinationUnreachable, Failure


def test_what_failed_upstream_selects_the_answer() -> None:
    problem = DestinationUnreachable(Failure.INTERNAL, "no such host")
    assert (problem.failure, str(problem)) == (Failure.INTERNAL, "no such host")
