"""Amounts as people read them: bytes, durations, counts. Pure."""

from __future__ import annotations

_KILO = 1000
_UNITS = ("kB", "MB", "GB", "TB")
_SECOND_MS, _MINUTE_S, _HOUR_S, _DAY_S = 1000, 60, 3600, 86_400


def byte_count(count: int) -> str:
    """`820 B`, `2.9 MB`: decimal units, as networks count."""
    if count < _KILO:
        return f"{count} B"
    value, units = count / _KILO, iter(_UNITS)
    unit = next(units)
    # What would round to 1000 belongs to the next unit.
    while value >= _KILO - 0.5 and unit != _UNITS[-1]:
        value /= _KILO
        unit = next(units)
    return f"{_three(value)} {unit}"


def duration(ms: float) -> str:
    """`30 ms`, `1.2 s`, `7 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if ms < _SECOND_MS:
        return f"{round(ms)} ms"
    whole = round(ms / _SECOND_MS)
    if whole < _MINUTE_S:
        return f"{_three(ms / _SECOND_MS)} s"
    if whole < _HOUR_S:
        return _two_units(whole, (_MINUTE_S, "min"), (1, "s"))
    if whole < _DAY_S:
        return _two_units(whole, (_HOUR_S, "h"), (_MINUTE_S, "min"))
    return _two_units(whole, (_DAY_S, "d"), (_HOUR_S, "h"))


def count(number: int) -> str:
    """`1,234`."""
    return f"{number:,}"


def percent(part: int, whole: int) -> str:
    """`12 %`, `<1 %`; nothing of nothing is nothing."""
    if not whole or not part:
        return "0 %"
    share = 100 * part / whole
    if share < 1:
        return "<1 %"
    # The last one is missing: a whole only when it is one.
    return f"{min(round(share), 99) if part < whole else 100} %"


def _two_units(seconds: int, large: tuple[int, str], small: tuple[int, str]) -> str:
    first, rest = divmod(seconds, large[0])
    second = rest // small[0]
    return f"{first} {large[1]} {second} {small[1]}" if second else f"{first} {large[1]}"


def _three(value: float) -> str:
    """At most three figures: 2.9, 29.1, 291; without a zero that says nothing."""
    digits = 0 if value >= 99.95 else 1  # noqa: PLR2004  # what rounds to a hundred
    return f"{value:.{digits}f}".removesuffix(".0")
