"""A run that tells nothing of itself beside its record, as runs do unless settings say otherwise.

What is asked of it by `netproxy.app.run` is filled with life in `netproxy.app.run_telemetry`, which
is imported only then: most runs are short, and waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from otel import AuditTrail, Journal, Value
    from otel.oplog import OperationalLog
    from otel.telemetry_config import TelemetrySettings


class Quiet:
    """Metrics and spans of one command: none."""

    @property
    def ids(self) -> dict[str, Value]:
        """What every record of the run carries, to be found from a span and to lead to one."""
        return {}

    @property
    def environment(self) -> dict[str, str]:
        """What the command gets, so that its own spans are below the run's."""
        return {}

    def kind_of(self, journal: type[Journal]) -> type[Journal]:
        """The kind of journal that goes with it."""
        return journal

    def watch(self, trail: AuditTrail, journal: Journal, directory: Path) -> None:
        """Look at what goes into the run's trail from now on; the journal's folder is in here."""

    def open(self, connections: Callable[[], int], say: Callable[[str], None]) -> None:
        """Load what it takes: the command runs already. `say` is told of a dead collector."""

    def close(self, ended: Mapping[str, Value]) -> None:
        """Send what is left, and wait half a second for it at most. `ended`: how the run did."""


class RunLog:
    """What is said of one run on stderr: in lines as ever, or as settings say.

    It is opened at the first word, and most runs have none.
    """

    def __init__(self, settings: TelemetrySettings | None, plain: Callable[[str], None]) -> None:
        """`plain` says a line for people."""
        self.ids: Mapping[str, Value] = {}
        self._settings = settings
        self._plain = plain

    def __call__(self, text: str) -> None:
        """Say what happened."""
        log = self._opened()
        (self._plain if log is None else log)(text)

    def failed(self, text: str) -> None:
        """Say why the command was not run."""
        log = self._opened()
        (self._plain if log is None else log.failed)(text)

    def _opened(self) -> OperationalLog | None:
        if self._settings is None or self._settings.log.is_usual:
            return None
        from otel.oplog import OperationalLog

        log = OperationalLog.open(self._settings.log, "netproxy run")
        return log.bound({name: str(value) for name, value in self.ids.items()})


def telemetry_of(settings: TelemetrySettings | None, environ: Mapping[str, str]) -> Quiet:
    """What the settings ask for. The caller's span is in `environ`."""
    if settings is None:
        return Quiet()
    from netproxy.app.run_telemetry import RunTelemetry

    return RunTelemetry(settings, environ)
