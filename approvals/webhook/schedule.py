"""When a delivery is tried again. Pure: chance comes in."""

from __future__ import annotations

from typing import Final

# Seconds after the message was made. A question is answered within minutes, so a receiver that
# restarts is to be reached within seconds; one that is away for long, every two minutes.
_OFFSETS: Final = (0.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0)
_EVERY: Final = 120.0
# Of each, either way, so that the questions of one moment don't come back at one moment.
_JITTER: Final = 0.2
# An attempt that took long is not followed by the next one at once.
_PAUSE: Final = 1.0


def next_attempt(made_at: float, attempts: int, *, now: float, chance: float) -> float:
    """When to try again after so many attempts; `chance` is from 0 to 1."""
    beyond = attempts - len(_OFFSETS) + 1
    offset = _OFFSETS[attempts] if beyond <= 0 else _OFFSETS[-1] + beyond * _EVERY
    return max(now + _PAUSE, made_at + offset * (1 - _JITTER + 2 * _JITTER * chance))
