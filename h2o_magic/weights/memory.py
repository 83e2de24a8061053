"""How much a model holds at once, and the memory that takes and that there is.

Counted are the weights, which are kept in memory whole, the context's cache, and the
cache of earlier prompts. What the engine needs beside them is small, and left to the
share that nobody is given.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.names import part_names, whole_name

#: The longest context that is set up, in tokens, whatever a model could take, and the
#: shortest that is still of use where memory is short.
_LONGEST_CONTEXT = 8192
_SHORTEST_CONTEXT = 1024
#: Memory for the context of all slots together, in bytes, where one needs less.
_CACHE_MEMORY = 4 * 2**30
#: Memory for earlier prompts whose slots others took, in bytes.
_PROMPT_CACHE = 256 * 2**20
#: Size of a file, in bytes, below which one thread computes.
TINY_FILE = 64 * 2**20
#: The share of the machine's memory that models get; the rest is the notebooks' and
#: the system's. Where the machine does not say, it is taken for a small one.
_SHARE = 0.75
_SMALL_MACHINE = 8 * 2**30
#: Where Linux keeps the limit of a container: version 2, then 1, of control groups.
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class NeverFitsError(ConfigurationError):
    """A model takes more memory than all models together may have."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much an engine holds.

    Attributes
    ----------
    slots : int
        Answers written at once.
    context : int
        Tokens that one input and its answer share.
    capacity : int
        Tokens of context memory that all slots share; at least `context`.
    threads : int or None
        Threads that compute; None leaves it to the engine.
    prompt_cache : int
        Memory for earlier prompts whose slots others took, in bytes; 0 for none.
    """

    slots: int
    context: int
    capacity: int
    threads: int | None = None
    prompt_cache: int = 0

    @property
    def shared(self) -> bool:
        """Whether the slots share memory that is less than a whole context for each."""
        return self.capacity < self.slots * self.context


def default_memory() -> int:
    """Return the memory that models get where nobody says, in bytes."""
    return int((memory_of_machine() or _SMALL_MACHINE) * _SHARE)


def file_size(path: Path) -> int:
    """Return the size of a model's weights, of all parts of a split one, in bytes."""
    return sum(path.with_name(name).stat().st_size for name in part_names(path.name))


def memory_of(path: Path, room: Room) -> int:
    """Return the memory, in bytes, that the model at `path` takes with `room`."""
    context = room.capacity * read_header(path).cache_bytes_per_token
    return file_size(path) + context + room.prompt_cache


def room_for(path: Path, slots: int, memory: int) -> Room:
    """Return how much an engine of the model at `path` should hold.

    Each slot gets a whole context where the memory for that stays below 4 GiB; bigger
    models get as many whole contexts as fit, at least one, for the slots to share.
    Where not even one fits, it is shortened.

    Parameters
    ----------
    path
        The GGUF file.
    slots
        Answers written at once.
    memory
        The memory for all models together, in bytes.

    Raises
    ------
    NeverFitsError
        If the model can never fit.
    ConfigurationError
        If the file is no GGUF file.
    """
    header = read_header(path)
    size = _size_of_whole(path)
    per_token = max(header.cache_bytes_per_token, 1)
    longest = min(header.context_length, _LONGEST_CONTEXT)
    shortest = min(longest, _SHORTEST_CONTEXT)
    left = memory - size
    if left < shortest * per_token:
        raise NeverFitsError(
            f"{whole_name(path.name)} can never fit: it takes "
            f"{size_in_words(size + shortest * per_token)} of memory, weights and "
            f"context, and the models may have {size_in_words(memory)}: take a smaller "
            "one, or give more with `h2o-magic serve --memory`"
        )
    context = max(shortest, min(longest, left // per_token))
    contexts = min(_CACHE_MEMORY, left) // (context * per_token)
    capacity = max(1, min(slots, contexts)) * context
    # Threads that wait for each other cost a tiny model more than they bring: on two
    # busy cores, two of them were seen to be 50 times slower than one.
    threads = 1 if size < TINY_FILE else None
    taken = capacity * per_token
    # The engine keeps one prompt whatever its size, so there is room for the longest.
    cache = min(_PROMPT_CACHE, taken, left - taken)
    cache = cache if cache >= context * per_token else 0
    return Room(slots, context, capacity, threads, cache)


def _size_of_whole(path: Path) -> int:
    try:
        return file_size(path)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path.name} is one part of a split model, and {error.filename} is not "
            "there: all parts belong into one folder"
        ) from error


def memory_of_machine() -> int | None:
    """Return the memory that programs can use here, in bytes; None if unknown."""
    known = [size for size in (_installed(), *map(_limit, _LIMITS)) if size]
    return min(known, default=None)


def _installed() -> int | None:
    if sys.platform == "win32":
        return _installed_on_windows()
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _installed_on_windows() -> int | None:
    """Ask ``GetPhysicallyInstalledSystemMemory``, which answers in KiB."""
    size = ctypes.c_ulonglong()
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    found = kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(size))
    return size.value * 1024 if found else None


def _limit(path: Path) -> int | None:
    """Return a container's limit; None if there is none (``max``)."""
    with suppress(OSError, ValueError):
        return int(path.read_text("ascii"))
    return None
