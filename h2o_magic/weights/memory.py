"""The memory that a model needs, and what of it there is for its context.

Counted are the weights, which are fully loaded, the context's cache, and the cache of
earlier prompts. The engine's other needs are small, and covered by the share of memory
that is not given to models.
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
from h2o_magic.weights.names import part_paths, unsplit_name

#: The longest context that is set up, in tokens, whatever the model supports, and the
#: shortest useful one where memory is short.
_LONGEST_CONTEXT = 8192
_SHORTEST_CONTEXT = 1024
#: Memory for the context of all slots together, in bytes, unless one slot needs more.
_CACHE_MEMORY = 4 * 2**30
#: Memory for earlier prompts whose slots are reused, in bytes.
_PROMPT_CACHE = 256 * 2**20
#: Size of weights, in bytes, below which the engine uses one thread.
TINY_FILE = 64 * 2**20
#: The share of the machine's memory for models; the rest is for notebooks and system.
_SHARE = 0.75
#: Assumed where the machine's memory is unknown, in bytes.
_SMALL_MACHINE = 8 * 2**30
#: Where Linux keeps the limit of a container: version 2, then 1, of control groups.
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class NeverFitsError(ConfigurationError):
    """A model needs more memory than all models together may use."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The slots and context of an engine."""

    slots: int  # answers generated at once
    context: int  # tokens that one input and its answer share
    capacity: int  # tokens that all slots share; at least `context`
    threads: int | None = None  # that compute; None leaves it to the engine
    prompt_cache: int = 0  # for earlier prompts whose slots are reused, in bytes
    embeds: bool = False  # whether it embeds texts in place of answering

    @property
    def shared(self) -> bool:
        """Whether the slots share less memory than a full context for each."""
        return self.capacity < self.slots * self.context


def default_memory() -> int:
    """In bytes, for all models together."""
    return int((memory_of_machine() or _SMALL_MACHINE) * _SHARE)


def memory_needed(path: Path, plan: MemoryPlan) -> int:
    """Return the bytes that the model at `path` takes with `plan`."""
    context = plan.capacity * read_header(path).cache_bytes_per_token
    return file_size(path) + context + plan.prompt_cache


def plan_memory(path: Path, slots: int, memory: int) -> MemoryPlan:
    """Return the plan for an engine within `memory` bytes; NeverFitsError if none fits.

    Each slot gets a full context where that takes less than 4 GiB; larger models get as
    many full contexts as fit, at least one, for the slots to share. If not even one
    fits, the context is shortened.
    """
    header = read_header(path)
    size = file_size(path)
    per_token = max(header.cache_bytes_per_token, 1)
    longest = min(header.context_length, _LONGEST_CONTEXT)
    shortest = min(longest, _SHORTEST_CONTEXT)
    left = memory - size
    if left < shortest * per_token:
        raise NeverFitsError(
            f"{unsplit_name(path.name)} can never fit: it needs "
            f"{size_in_words(size + shortest * per_token)} of memory for weights and "
            f"context, and models may use {size_in_words(memory)}: choose a smaller "
            "one, or raise the limit with `h2o-magic serve --memory`"
        )
    context = max(shortest, min(longest, left // per_token))
    contexts = min(_CACHE_MEMORY, left) // (context * per_token)
    capacity = max(1, min(slots, contexts)) * context
    # Waiting for each other costs threads of a tiny model more than they gain: on two
    # busy cores, two were 50 times slower than one.
    threads = 1 if size < TINY_FILE else None
    taken = capacity * per_token
    # The engine keeps one prompt whatever its size, so the longest must fit.
    cache = min(_PROMPT_CACHE, taken, left - taken)
    cache = cache if cache >= context * per_token else 0
    return MemoryPlan(slots, context, capacity, threads, cache)


def file_size(path: Path) -> int:
    """Return the size of all parts of a model's weights, in bytes."""
    try:
        return sum(part.stat().st_size for part in part_paths(path))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path.name} is one part of a split model, and {error.filename} is "
            "missing: put all parts into one folder"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the weights {path}: {error.strerror}"
        ) from error


def memory_of_machine() -> int | None:
    """Return the memory of this machine or container, in bytes; None if unknown."""
    known = [size for size in (_installed(), *map(_limit, _LIMITS)) if size]
    return min(known, default=None)


def _installed() -> int | None:
    if sys.platform == "win32":
        return _installed_on_windows()
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _installed_on_windows() -> int | None:
    size = ctypes.c_ulonglong()
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    found = kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(size))
    return size.value * 1024 if found else None  # it is in KiB


def _limit(path: Path) -> int | None:
    with suppress(OSError, ValueError):  # `max` is no limit
        return int(path.read_text("ascii"))
    return None
