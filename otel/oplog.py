"""Operational logs: what happens to the gateway, for whoever looks after it. Never evidence.

Lines for people or JSON for machines, on stderr. The audit trail is another thing altogether: it
knows nothing of this module, so no level and no broken stream here can mute it. Imported by whoever
runs for long; a short command writes its few lines itself.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self, TextIO

import structlog

from otel.log_settings import LogFormat, LogSettings
from otel.redact import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

# What the data plane reports of its own mistakes begins with our name; the rest is news.
_MISTAKE: Final = "netproxy: "
_WARNING: Final = "warning: "


class OperationalLog:
    """One line for each call. Texts are made visible here: a client may have had a hand in any."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    @classmethod
    def open(cls, settings: LogSettings, program: str, stream: TextIO | None = None) -> Self:
        """Write to stderr, or to `stream`. `program` begins each line: `netproxy serve`."""
        render = _json(program) if settings.format is LogFormat.JSON else _console(program)
        log: FilteringBoundLogger = structlog.wrap_logger(
            _Stream(stream or sys.stderr),
            processors=[_made_visible, *render],
            wrapper_class=structlog.make_filtering_bound_logger(settings.level.value),
        )
        return cls(log)

    def bound(self, ids: Mapping[str, str]) -> Self:
        """Make a log whose JSON says these of every line.

        People have one gateway before their eyes, and know which.
        """
        return type(self)(self._log.bind(**ids))

    def __call__(self, text: str) -> None:
        """Say what happened: the level follows from how the text begins."""
        if text.startswith(_MISTAKE):
            self._log.error(text)
        elif text.startswith(_WARNING):
            self._log.warning(text)
        else:
            self._log.info(text)

    def detail(self, text: str) -> None:
        """Say what only those want to read who look for a mistake."""
        self._log.debug(text)

    def failed(self, text: str) -> None:
        """Say why the gateway is not there, or not any more."""
        self._log.critical(text)


class _Stream:
    """Where lines go. Nobody is served worse because nobody reads them any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # a pipe without a reader, a closed stream
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def _made_visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible(value)
    return event


def _console(program: str) -> list[Processor]:
    def line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        return f"{program}: {str(event['event']).removeprefix(_MISTAKE)}"

    return [line]


def _json(program: str) -> list[Processor]:
    def named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["event"] = str(event["event"]).removeprefix(_WARNING).removeprefix(_MISTAKE)
        return {**event, "logger": program.replace(" ", ".")}

    stamped: Callable[..., EventDict] = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [
        named,
        structlog.processors.add_log_level,
        stamped,
        structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
    ]
