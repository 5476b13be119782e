"""`netproxy serve` without its journal, for one row of the table: what the record costs.

Not a setting, and never one: a gateway that can't record says no. Every event is still made, and
dropped where it would get its form, its hash and its place in the file.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self
from unittest.mock import patch

from netproxy.app import serve
from netproxy.app.cli import main
from otel import AuditTrail

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel import AuditUnavailable
    from otel.attributes import Value
    from otel.events import Event


class Unrecorded(AuditTrail):
    """Takes every event and keeps none."""

    __slots__ = ()

    def record(self, event: Event) -> None:
        """Drop it."""

    async def written(self, event: Event) -> None:
        """Drop it: there is nothing to wait for."""

    def record_then(self, _: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        """Drop it, and go on."""
        then(None)

    def record_soon(self, event: Event, *, lost: Callable[[], None] | None = None) -> None:
        """Drop it, and call nobody: it isn't missed."""

    def record_synced(self, event: Event) -> None:
        """Drop it, too."""

    def with_attributes(self, **_: Value) -> Self:
        """What nobody keeps needs no attributes."""
        return self


if __name__ == "__main__":
    with patch.object(serve, "AuditTrail", Unrecorded):
        sys.exit(main(sys.argv[1:]))
