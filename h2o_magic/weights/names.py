"""Names of GGUF files: the parts of split weights, and which file a name stands for.

``gguf-split`` names parts ``NAME-00001-of-00003.gguf``; the engine is given the first
and finds the others beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeAlias

ANY = "*.gguf"
#: Quantizations, best first, where a repository has several files.
PREFERRED = ("*q4_k_m.gguf", "*q4_0.gguf", "*q8_0.gguf", ANY)
#: Names of files that are not models: vision projectors, and data for quantizing.
_AUXILIARY = ("mmproj", "imatrix")
_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.gguf)", re.IGNORECASE)

#: A path, and the size, modification time in ns and inode of each part.
FileState: TypeAlias = tuple[Path, tuple[tuple[int, int, int], ...]]


def is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def unsplit_name(name: str) -> str:
    found = _PART.fullmatch(name)
    return found[1] + found[4] if found else name


def part_names(name: str) -> tuple[str, ...]:
    """Return the names of all parts in order; `name` alone if it is not split."""
    found = _PART.fullmatch(name)
    if found is None:
        return (name,)
    stem, _, count, end = found.groups()
    return tuple(f"{stem}-{n:05}-of-{count}{end}" for n in range(1, int(count) + 1))


def part_paths(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(name) for name in part_names(path.name))


def file_state(path: Path) -> FileState:
    states = []
    for part in part_paths(path):
        with suppress(OSError):  # reported by whoever reads the file
            status = part.stat()
            states.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return path, tuple(states)


def is_later_part(name: str) -> bool:
    found = _PART.fullmatch(name)
    return found is not None and int(found[2]) != 1


def choose(sizes: Mapping[str, int], patterns: Sequence[str]) -> str | None:
    """Return the name that matches the earliest of `patterns`, or None.

    For `ANY` that is the smallest file, else the first by name. The sizes are those of
    the complete weights, by the first part's name.
    """
    for pattern in patterns:
        found = matching(sorted(sizes), pattern)
        if found:
            return min(found, key=sizes.__getitem__) if pattern == ANY else found[0]
    return None


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Return the names that match a name or shell pattern, ignoring case.

    Folders may be omitted where that is unambiguous. Auxiliary files must be named.
    """
    wanted = pattern.lower()
    names = list(names)
    if not any(word in wanted for word in _AUXILIARY):
        names = [name for name in names if not is_auxiliary(name)]
    found = [name for name in names if _matches(name, wanted)]
    if found:
        return found
    below = [name for name in names if _matches(PurePosixPath(name).name, wanted)]
    return below if is_pattern(pattern) or len(set(below)) <= 1 else []


def is_auxiliary(name: str) -> bool:
    base = PurePosixPath(name).name.lower()
    return any(word in base for word in _AUXILIARY)


def is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")


def _matches(name: str, wanted: str) -> bool:
    names = {name.lower(), unsplit_name(name).lower()}
    return wanted in names or any(fnmatchcase(n, wanted) for n in names)
