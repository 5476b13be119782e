"""How much is said in operational logs, and how. Pure; what says it is `otel.oplog`."""

from __future__ import annotations

from enum import StrEnum

from otel.values import dataclass


class LogFormat(StrEnum):
    """For whom the lines are."""

    CONSOLE = "console"  # people
    JSON = "json"  # machines


class LogLevel(StrEnum):
    """The least that is said."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """As made: every line, for people."""

    format: LogFormat = LogFormat.CONSOLE
    level: LogLevel = LogLevel.INFO

    @property
    def is_usual(self) -> bool:
        """Whether nobody chose anything."""
        return self == LogSettings()
