"""Which file of a repository is meant by a name, or best where none is named. Pure.

Names are relative to the repository, with ``/``; of split weights the first part's.
``gguf-split`` names those ``NAME-00001-of-00003.gguf``; the engine is given the first
and finds the others beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

ANY = "*.gguf"
#: Quantizations to take, best first, where a repository holds several files.
PREFERRED = ("*q4_k_m.gguf", "*q4_0.gguf", "*q8_0.gguf", ANY)
#: What no model's file is called: a part that sees images, and what quantizing needs.
_ASIDE = ("mmproj", "imatrix")
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


def best(sizes: Mapping[str, int], patterns: Sequence[str]) -> str | None:
    """Return the name that fits the first of `patterns` that any fits.

    Where any file will do, it is the smallest; else the first by name.

    Parameters
    ----------
    sizes
        Bytes of the whole weights, by name.
    patterns
        Names or shell patterns, best first.
    """
    for pattern in patterns:
        found = fitting(sorted(sizes), pattern)
        if found:
            return min(found, key=sizes.__getitem__) if pattern == ANY else found[0]
    return None


def fitting(names: Iterable[str], pattern: str) -> list[str]:
    """Return the names that a name or shell pattern, in any case, is meant for.

    The folders may be left out where that leaves no doubt. Files that are no models
    must be named.
    """
    wanted = pattern.lower()
    every = list(names)
    if not any(word in wanted for word in _ASIDE):
        every = [name for name in every if not is_aside(name)]
    found = [name for name in every if _fits(name, wanted)]
    if found:
        return found
    below = [name for name in every if _fits(_base(name), wanted)]
    return below if is_pattern(pattern) or len(set(below)) <= 1 else []


def is_aside(name: str) -> bool:
    """Whether a file is no model: only who names it gets it."""
    return any(word in _base(name).lower() for word in _ASIDE)


def is_pattern(name: str) -> bool:
    """Whether `name` can stand for several files."""
    return any(character in name for character in "*?[")


def _fits(name: str, wanted: str) -> bool:
    names = {name.lower(), whole_name(name).lower()}
    return wanted in names or any(fnmatchcase(n, wanted) for n in names)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
