"""Who is signed in at the web inbox: one-time login codes and the sessions that they open.

Both live in memory only, keyed by SHA-256 of what the browser holds: a copy of this process's
files holds nothing that signs anybody in, and a gateway that ended has signed everybody out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from typing import TYPE_CHECKING

from otel.values import dataclass, field

if TYPE_CHECKING:
    from approvals.ports import Clock

# 256 bits in 43 characters: nobody guesses one.
_SECRET_BYTES = 32
# Long enough to change to the browser, too short to be found in a scrollback tomorrow.
LOGIN_SECONDS = 300.0
# A working day. Whoever stole a cookie has it for no longer.
SESSION_SECONDS = 8 * 3600.0
# With no page open. An inbox that waits on a second screen is in use.
IDLE_SECONDS = 1800.0
# Links that nobody follows must not pile up, nor sessions that nobody ends.
_MOST_CODES = 32
_MOST_SESSIONS = 256
# Each wrong code leaves an audit record: a program that tries codes must not fill the journal.
_WRONG_CODES = 10
_WRONG_SECONDS = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Visitor:
    """One signed-in browser."""

    name: str
    csrf: str  # in each form of this browser, and in no link
    started: float  # monotonic seconds, as is `seen`
    seen: float
    notices: list[str] = field(default_factory=list)  # for the next page: what was just done

    def take_notices(self) -> tuple[str, ...]:
        """What the next page says once."""
        said = tuple(self.notices)
        self.notices.clear()
        return said


class LoginCodes:
    """Codes of login links: each opens one session, once, soon."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._names: dict[bytes, tuple[str, float]] = {}
        self._wrong: deque[float] = deque(maxlen=_WRONG_CODES)

    def issue(self, name: str) -> tuple[str, float]:
        """A new code for this reviewer, and when it ends, in seconds since the epoch."""
        code = secrets.token_urlsafe(_SECRET_BYTES)
        if len(self._names) >= _MOST_CODES:
            del self._names[next(iter(self._names))]
        self._names[_digest(code)] = (name, self._clock.monotonic() + LOGIN_SECONDS)
        return code, self._clock.wall() + LOGIN_SECONDS

    def redeem(self, code: str) -> str | None:
        """Whose code this is; it is worth nothing afterwards. None: nobody's, any more."""
        name, until = self._names.pop(_digest(code), ("", 0.0))
        if name and self._clock.monotonic() < until:
            return name
        self._wrong.append(self._clock.monotonic())
        return None

    @property
    def too_many_wrong(self) -> bool:
        """Whether wrong codes come faster than a person pastes them."""
        full = len(self._wrong) == _WRONG_CODES
        return full and self._clock.monotonic() - self._wrong[0] < _WRONG_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLink:
    """One way in, for one browser, soon."""

    url: str
    expires_at: float  # seconds since the epoch


class LoginLinks:
    """Makes login links: at the start, and for the terminal that asks on the control socket."""

    def __init__(self, codes: LoginCodes, base_url: str) -> None:
        """`base_url`: where a browser finds the inbox, without a path."""
        self.codes = codes
        self.base_url = base_url.rstrip("/")

    def issue(self, name: str) -> LoginLink:
        """A link for this reviewer."""
        code, expires_at = self.codes.issue(name)
        return LoginLink(url=f"{self.base_url}/login?code={code}", expires_at=expires_at)


class Visitors:
    """The sessions of browsers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, Visitor] = {}

    def admit(self, name: str) -> str:
        """Open a session; the browser's cookie."""
        cookie = secrets.token_urlsafe(_SECRET_BYTES)
        now = self._clock.monotonic()
        if len(self._known) >= _MOST_SESSIONS:
            del self._known[min(self._known, key=lambda each: self._known[each].seen)]
        self._known[_digest(cookie)] = Visitor(
            name=name, csrf=secrets.token_urlsafe(_SECRET_BYTES), started=now, seen=now
        )
        return cookie

    def find(self, cookie: str | None) -> Visitor | None:
        """Who that is, which counts as use. None: nobody, or no longer."""
        if cookie is None:
            return None
        visitor = self._known.get(_digest(cookie))
        if visitor is None:
            return None
        now = self._clock.monotonic()
        if now - visitor.started >= SESSION_SECONDS or now - visitor.seen >= IDLE_SECONDS:
            self.dismiss(cookie)
            return None
        visitor.seen = now
        return visitor

    def dismiss(self, cookie: str) -> None:
        """End a session."""
        self._known.pop(_digest(cookie), None)


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that says nothing of where they differ."""
    return secrets.compare_digest(one.encode(), other.encode())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
