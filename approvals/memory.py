"""What sessions remember: answers that later requests meet without a question. Pure.

Look-ups are plain dict look-ups because every connection makes them. A key matches only itself,
so no grant can ever serve another host, port, protocol or session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from approvals.model import Grant, Key


class SessionMemory:
    """Grants and denials for the session, and one-use leases for a retry. Deny beats allow."""

    def __init__(self) -> None:
        self._grants: dict[Key, Grant] = {}
        self._denials: dict[Key, Grant] = {}
        self._leases: dict[Key, Grant] = {}

    def grant(self, key: Key) -> Grant | None:
        """The session's yes, unless the session also said no."""
        return None if key in self._denials else self._grants.get(key)

    @property
    def denies(self) -> bool:
        """Whether the session said no to anything at all."""
        return bool(self._denials)

    def denial(self, key: Key) -> Grant | None:
        """The session's no."""
        return self._denials.get(key)

    def remember(self, grant: Grant) -> None:
        """Keep a session's answer."""
        allowed = grant.verdict is Verdict.ALLOW
        (self._grants if allowed else self._denials)[grant.key] = grant

    def forget(self, grant: Grant) -> bool:
        """Forget this very yes. False when it is gone already."""
        if self._grants.get(grant.key) is not grant:
            return False
        del self._grants[grant.key]
        return True

    def lease(self, grant: Grant) -> None:
        """Keep a late yes for one retry."""
        self._leases[grant.key] = grant

    def take_lease(self, key: Key) -> Grant | None:
        """The late yes for this key, which is gone afterwards: it serves one request."""
        return self._leases.pop(key, None)

    def drop_lease(self, grant: Grant) -> bool:
        """Forget this very lease. False when it was taken before, or a newer one stands there."""
        if self._leases.get(grant.key) is not grant:
            return False
        del self._leases[grant.key]
        return True

    def forget_all(self) -> Iterator[Grant]:
        """Every session answer, forgotten one by one."""
        for known in (self._grants, self._denials):
            while known:
                yield known.popitem()[1]
