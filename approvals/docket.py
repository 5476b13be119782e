"""The questions that stand, by key, by id and by run; and how the last ones ended.

Every look-up and every change costs the same, however many questions stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.hearing import Hearing
    from approvals.model import Key, Resolution


class Docket:
    """Open hearings, oldest first."""

    def __init__(self, remembered: int) -> None:
        """`remembered`: of so many resolutions a late answer is told who won."""
        self._by_key: dict[Key, Hearing] = {}
        self._by_id: dict[str, Hearing] = {}
        self._by_run: dict[str, dict[Hearing, None]] = {}
        self._resolutions: dict[str, Resolution] = {}
        self._remembered = remembered

    def __len__(self) -> int:
        return len(self._by_id)

    def put(self, hearing: Hearing) -> None:
        """Add a question that nobody asked before."""
        self._by_key[hearing.question.key] = hearing
        self._by_id[hearing.question.approval_id] = hearing

    def rename(self, hearing: Hearing, before: str) -> None:
        """The question has another id now: somebody else had put it already."""
        del self._by_id[before]
        self._by_id[hearing.question.approval_id] = hearing

    def asked_by(self, hearing: Hearing, run: str) -> None:
        """Note that a run waits for the answer."""
        self._by_run.setdefault(run, {})[hearing] = None

    def close(self, hearing: Hearing) -> None:
        """Take a settled question away; a newer one with the same key is left alone."""
        question = hearing.question
        if self._by_key.get(question.key) is hearing:
            del self._by_key[question.key]
        self._by_id.pop(question.approval_id, None)
        for run in hearing.waiters.runs:
            asked = self._by_run.get(run, {})
            asked.pop(hearing, None)
            if not asked:
                self._by_run.pop(run, None)
        assert hearing.resolution is not None
        self._resolutions[question.approval_id] = hearing.resolution
        if len(self._resolutions) > self._remembered:
            del self._resolutions[next(iter(self._resolutions))]

    def of_key(self, key: Key) -> Hearing | None:
        """The question about this key."""
        return self._by_key.get(key)

    def of_id(self, approval_id: str) -> Hearing | None:
        """The question with this id."""
        return self._by_id.get(approval_id)

    def take_run(self, run: str) -> tuple[Hearing, ...]:
        """The questions that a run asked, which is over now."""
        return tuple(self._by_run.pop(run, ()))

    def every(self) -> tuple[Hearing, ...]:
        """All of them, oldest first."""
        return tuple(self._by_id.values())

    def resolution(self, approval_id: str) -> Resolution | None:
        """How a question ended, if that was not long ago."""
        return self._resolutions.get(approval_id)
