"""The workers of pytest-xdist read the tests in turns, so that a fresh clone is compiled once.

Each of them reads all of the tests, and pytest writes its asserts anew and compiles them where
nobody has done so before: half of the time that the first reading takes. In the same order they
would do the same files at the same moment. Each begins elsewhere, and finds the rest done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


class InTurns:
    """A plugin of a worker: the order of what it reads is its own, that of the tests is not."""

    def __init__(self, worker: int, workers: int) -> None:
        self._worker, self._workers = worker, workers

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """A folder from another place on for each."""
        report = yield
        if isinstance(collector, pytest.Directory):
            found = report.result
            turn = len(found) * self._worker // self._workers
            report.result = [*found[turn:], *found[:turn]]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """As pytest itself orders them, before it looks for tests that share something."""
        items.sort(key=lambda item: item.path.parts)


def in_turns(config: pytest.Config) -> None:
    """Only a worker has others beside it."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        number = int(told["workerid"].removeprefix("gw"))
        config.pluginmanager.register(InTurns(number, told["workercount"]))
