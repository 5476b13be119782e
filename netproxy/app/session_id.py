"""The id of a run's session: a new one, or what a session with a name has had before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.settings import Ask
from otel import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.app.settings import Settings


def session_id_of(settings: Settings, say: Callable[[str], None]) -> str:
    """By its id a session finds its answers again. Where the store is lost it begins anew.

    A run that asks nobody has none to find, and never opens the store.
    """
    name, store = settings.session_name, settings.approvals.store
    if name is None or store is None or settings.ask is Ask.NEVER:
        return new_id("s")
    from approvals import StoreUnavailable, SystemClock
    from netproxy.app.approval_store import resumed

    try:
        return resumed(store, name, SystemClock())
    except StoreUnavailable as lost:
        say(begins_anew(name, lost))
        return new_id("s")


def begins_anew(name: str, lost: Exception) -> str:
    """What is said of a session whose answers can't be had."""
    return f"warning: the session {name} begins anew: {lost}"
