"""Starting a thread of the journal's, where the host may have none to give."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from otel.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable


def started(name: str, target: Callable[[], None]) -> threading.Thread:
    """A daemon thread that runs. Raises `AuditUnavailable` where no more may be started."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # "can't start new thread": pthread_create(3) said EAGAIN
        raise AuditUnavailable(
            f"no thread for the audit journal: {error}; end some processes, or raise ulimit -u",
            error_type="EAGAIN",
        ) from error
    return thread
