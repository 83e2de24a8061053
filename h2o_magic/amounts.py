"""Counts and sizes in words."""

from __future__ import annotations

__all__ = ["counted", "duration_in_words", "size_in_words"]


def counted(number: int, noun: str) -> str:
    """Return a count with its noun: ``1 turn``, ``1,200 turns``."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def size_in_words(size: int) -> str:
    """Return a size in bytes with the unit that suits it: ``14 KB``, ``7.9 GB``."""
    if size < 1000:
        return counted(size, "byte")
    if size < 999_500:
        return f"{size / 1e3:.0f} KB"
    return f"{size / 1e9:.1f} GB" if size >= 999.95e6 else f"{size / 1e6:.1f} MB"


def duration_in_words(seconds: float) -> str:
    """Return about how long `seconds` are, in the unit that suits: ``3 hours``."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(max(int(seconds), 0), "second")
