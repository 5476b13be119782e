"""What a person should know about their policy before a command runs under it: a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproxy.app.settings import Settings

# To look through more would keep the start waiting; `netproxy policy check` does.
_RULES = 2_000
_LINES = 5


def advice(settings: Settings, *, now: float) -> list[str]:
    """Return what was passed over, and the lint's findings; `now` in seconds since the epoch."""
    lines = list(settings.warnings)
    # A single rule can be odd, too, but most runs have none, and import nothing for it.
    if 0 < len(settings.spec.rules) <= _RULES:
        from netproxy.policy.lint import lint

        lines += [finding.message for finding in lint(settings.spec, now=now)]
    if len(lines) > _LINES:
        left = len(lines) - _LINES + 1
        return [*lines[: _LINES - 1], f"and {left} more: netproxy policy check"]
    return lines
