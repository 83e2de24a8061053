"""Counts, sizes and times as text, and sizes from text."""

from __future__ import annotations

import math
import re

from h2o_magic.errors import ConfigurationError

_UNITS: dict[str, int] = {
    **{letter: 1000**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}I": 1024**power for power, letter in enumerate("KMGT", start=1)},
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]I?)B?", re.IGNORECASE)


def counted(number: int, noun: str) -> str:
    """Return a count with its noun: ``1 turn``, ``1,200 turns``."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def size_in_words(size: int) -> str:
    """Return a size in bytes with a suitable unit: ``14 KB``, ``7.9 GB``."""
    if size < 1000:
        return counted(size, "byte")
    if size < 999_500:
        return f"{size / 1e3:.0f} KB"
    return f"{size / 1e9:.1f} GB" if size >= 999.95e6 else f"{size / 1e6:.1f} MB"


def duration_in_words(seconds: float) -> str:
    """Return a rounded duration with a suitable unit: ``3 hours``."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(max(int(seconds), 0), "second")


def parse_size(text: str) -> int:
    """Return bytes: ``8GB`` and ``500M`` count in 1,000s, ``7.5 GiB`` in 1,024s.

    ConfigurationError if it is not a number with a unit.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(
            f"expected a size with a unit, such as 8GB, 7.5GiB or 500MB, got {text!r}"
        )
    number, unit = found.groups()
    return round(float(number) * _UNITS[unit.upper()])


def time_in_words(seconds: float) -> str:
    """Return a duration, rounded: ``40 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 59.5:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
