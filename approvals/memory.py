"""What sessions remember: answers that later requests meet without a question. Pure.

Look-ups are plain dict look-ups because every connection makes them. A key matches only itself,
so no grant can ever serve another host, port, protocol or session; a yes for a run serves no
other run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Scope, Verdict
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from approvals.model import Grant, Key


_OF_A_RUN = frozenset({Scope.ONCE, Scope.RUN})


@dataclass(slots=True)
class _Usage:
    grant: Grant
    connections: int
    bytes: int

    def spent(self) -> Grant:
        grant = self.grant
        if (self.connections, self.bytes) == (grant.used_connections, grant.used_bytes):
            return grant
        return replace(grant, used_connections=self.connections, used_bytes=self.bytes)


class SessionMemory:
    """Grants, denials, and one-use leases for a retry. Deny beats allow."""

    def __init__(self) -> None:
        self._grants: dict[Key, Grant] = {}
        self._of_runs: dict[tuple[Key, str], Grant] = {}
        self._denials: dict[Key, Grant] = {}
        self._leases: dict[tuple[Key, str], Grant] = {}
        self._by_id: dict[str, Grant] = {}
        self._by_run: dict[str, dict[str, None]] = {}  # those that end with the run
        self._by_session: dict[str, dict[str, None]] = {}
        self._usage: dict[str, _Usage] = {}  # by approval

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, grant_id: str) -> bool:
        return grant_id in self._by_id

    def grant(self, key: Key, run: str | None = None) -> Grant | None:
        """The session's yes, or this run's, unless the session said no."""
        if key in self._denials:
            return None
        found = self._grants.get(key)
        if found is None and self._of_runs and run is not None:
            return self._of_runs.get((key, run))
        return found

    @property
    def denies(self) -> bool:
        """Whether a session said no to anything at all."""
        return bool(self._denials)

    def denial(self, key: Key) -> Grant | None:
        """The session's no."""
        return self._denials.get(key)

    def remember(self, grant: Grant) -> None:
        """Keep an answer: a yes for once serves one retry of the run that asked."""
        self._by_id[grant.grant_id] = grant
        self._by_session.setdefault(grant.key.session, {})[grant.grant_id] = None
        if grant.scope in _OF_A_RUN:
            self._by_run.setdefault(grant.run, {})[grant.grant_id] = None
        used = _Usage(grant, grant.used_connections, grant.used_bytes)
        self._usage[grant.approval_id] = used
        if grant.verdict is Verdict.DENY:
            self._denials[grant.key] = grant
        elif grant.scope is Scope.ONCE:
            self._leases[grant.key, grant.run] = grant
        elif grant.scope is Scope.RUN:
            self._of_runs[grant.key, grant.run] = grant
        else:
            self._grants[grant.key] = grant

    def forget(self, grant_id: str) -> Grant | None:
        """Forget one answer, and return it with what it was used for; None when it is gone."""
        grant = self._by_id.pop(grant_id, None)
        if grant is None:
            return None
        spent = self._usage.pop(grant.approval_id).spent()
        _drop(self._by_session, grant.key.session, grant_id)
        _drop(self._by_run, grant.run, grant_id)
        key, of_run = grant.key, (grant.key, grant.run)
        # A newer answer may stand in its place.
        if self._denials.get(key) is grant:
            del self._denials[key]
        elif self._grants.get(key) is grant:
            del self._grants[key]
        elif self._of_runs.get(of_run) is grant:
            del self._of_runs[of_run]
        elif self._leases.get(of_run) is grant:
            del self._leases[of_run]
        return spent

    def lease(self, key: Key, run: str) -> Grant | None:
        """The late yes that waits for this run's retry."""
        return self._leases.get((key, run))

    def spend(self, approval_id: str, *, connections: int, carried: int) -> Grant | None:
        """Count what the grant of an approval is used for; return it, if it has a budget."""
        usage = self._usage.get(approval_id)
        if usage is None:
            return None
        usage.connections += connections
        usage.bytes += carried
        return None if usage.grant.budget is None else usage.spent()

    def holds(self, approval_id: str) -> bool:
        """Whether what this approval left holds."""
        return approval_id in self._usage

    def of_run(self, run: str) -> tuple[str, ...]:
        """The answers that end with this run, by id."""
        return tuple(self._by_run.get(run, ()))

    def of_session(self, session: str) -> tuple[str, ...]:
        """The answers that this session remembers, by id."""
        return tuple(self._by_session.get(session, ()))

    @property
    def sessions(self) -> tuple[str, ...]:
        """The sessions that remember anything."""
        return tuple(self._by_session)

    def find(self, grant_id: str) -> Grant | None:
        """One answer, with what it was used for by now."""
        grant = self._by_id.get(grant_id)
        return None if grant is None else self._usage[grant.approval_id].spent()

    def every(self) -> tuple[Grant, ...]:
        """All answers, oldest first, with what they were used for by now."""
        return tuple(self._usage[each.approval_id].spent() for each in self._by_id.values())


def _drop(index: dict[str, dict[str, None]], name: str, grant_id: str) -> None:
    found = index.get(name)
    if found is not None:
        found.pop(grant_id, None)
        if not found:
            del index[name]
