"""A cancellation token: cancelled once, with a cause; whoever waits is told. The first wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CancellationToken[Cause]:
    """Belongs to one run. Not thread-safe: everything that cancels runs in the event loop."""

    def __init__(self) -> None:
        self._cause: Cause | None = None
        self._listeners: list[Callable[[Cause], None]] = []

    @property
    def cause(self) -> Cause | None:
        """Why, or None while the run may go on."""
        return self._cause

    @property
    def is_cancelled(self) -> bool:
        """Whether some cause was given."""
        return self._cause is not None

    def cancel(self, cause: Cause) -> bool:
        """Cancel, and tell every listener now. False if an earlier cause already did."""
        if self._cause is not None:
            return False
        self._cause = cause
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(cause)
        return True

    def on_cancel(self, listener: Callable[[Cause], None]) -> None:
        """Call `listener` once; at once if the token is cancelled already."""
        if self._cause is not None:
            listener(self._cause)
        else:
            self._listeners.append(listener)
