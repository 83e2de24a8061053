"""Models whose weights are split over several files: their names. Pure.

``gguf-split`` names them ``NAME-00001-of-00003.gguf``; the engine is given the first
and finds the others beside it.
"""

from __future__ import annotations

import re

__all__ = ["is_later_part", "part_names", "whole_name"]

_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.gguf)", re.IGNORECASE)


def whole_name(name: str) -> str:
    """Return the name that the file would have in one piece: ``NAME.gguf``."""
    found = _PART.fullmatch(name)
    return found[1] + found[4] if found else name


def part_names(name: str) -> tuple[str, ...]:
    """Return the names of all parts in order; `name` alone if it is no part."""
    found = _PART.fullmatch(name)
    if found is None:
        return (name,)
    stem, _, count, end = found.groups()
    return tuple(f"{stem}-{n:05}-of-{count}{end}" for n in range(1, int(count) + 1))


def is_later_part(name: str) -> bool:
    """Whether `name` is a part of a split model, but not its first."""
    found = _PART.fullmatch(name)
    return found is not None and int(found[2]) != 1
