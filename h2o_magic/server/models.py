"""The models in memory: loaded at first use, one big one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from h2o_magic.server.engine import Engine, Room
from h2o_magic.server.gguf_header import read_header
from h2o_magic.server.weights import Weights

__all__ = ["Models", "room_for"]

_log = logging.getLogger(__name__)

#: The longest context that is set up, in tokens, whatever a model could take.
_LONGEST_CONTEXT = 8192
#: Memory for the context of all slots together, in bytes, where one needs less.
_CACHE_MEMORY = 4 * 2**30
#: Size of a file, in bytes, below which one thread computes.
_TINY_FILE = 64 * 2**20


class Models:
    """Loads engines and hands them out.

    The demo weights stay in memory once loaded (a few MB). Of others there is one at a
    time: asking for another waits until nobody uses the first, then takes its place.

    Parameters
    ----------
    slots
        Answers that one engine writes at once.
    load
        Makes an engine of a file; blocks. Exchanged by tests.
    """

    def __init__(
        self, slots: int, load: Callable[[Path, Room], Engine] | None = None
    ) -> None:
        self.slots = slots
        self._load = load or Engine
        self._engines: dict[Path, Engine] = {}
        self._names: dict[Path, set[str]] = {}
        self._demos: set[Path] = set()
        self._users: Counter[Path] = Counter()
        self._change = asyncio.Lock()
        self._released = asyncio.Event()

    @property
    def busy_slots(self) -> int:
        """How many answers are being written, by all engines."""
        return sum(engine.busy_slots for engine in self._engines.values())

    @property
    def loaded(self) -> list[str]:
        """The names under which the models in memory were asked for."""
        return sorted(name for path in self._engines for name in self._names[path])

    @asynccontextmanager
    async def use(self, weights: Weights) -> AsyncIterator[Engine]:
        """Lend the engine of `weights`, loading it first if need be.

        Raises
        ------
        ConfigurationError
            If it cannot be loaded. Whatever was in memory before may be gone then.
        """
        lending = asyncio.ensure_future(self._lend(weights))
        try:
            # Who asked may leave while the model loads; it is kept for the next.
            engine = await asyncio.shield(lending)
        except asyncio.CancelledError:
            lending.add_done_callback(lambda done: self._take_back(weights.path, done))
            raise
        try:
            yield engine
        finally:
            self._take_back(weights.path, lending)

    async def close(self) -> None:
        """Unload everything. Waits until the engines have let go of their answers."""
        async with self._change:
            for path in list(self._engines):
                await self._unload(path)

    async def _lend(self, weights: Weights) -> Engine:
        async with self._change:
            engine = self._engines.get(weights.path) or await self._bring(weights)
            self._names[weights.path].add(weights.model)
            self._users[weights.path] += 1
            return engine

    def _take_back(self, path: Path, lending: asyncio.Future[Engine]) -> None:
        if lending.cancelled() or lending.exception() is not None:
            return
        self._users[path] -= 1
        self._released.set()

    async def _bring(self, weights: Weights) -> Engine:
        if not weights.demo:
            for path in set(self._engines) - self._demos:
                await self._until_unused(path)
                await self._unload(path)
        _log.info("loading %s for %s", weights.path, weights.model)
        room = room_for(weights.path, self.slots)
        engine = await asyncio.to_thread(self._load, weights.path, room)
        self._engines[weights.path] = engine
        self._names[weights.path] = set()
        if weights.demo:
            self._demos.add(weights.path)
        return engine

    async def _until_unused(self, path: Path) -> None:
        while self._users[path]:
            self._released.clear()
            await self._released.wait()

    async def _unload(self, path: Path) -> None:
        engine = self._engines.pop(path)
        _log.info("unloading %s", path)
        await asyncio.to_thread(engine.close)


def room_for(path: Path, slots: int) -> Room:
    """Return how much an engine of the model at `path` should hold.

    Each slot gets a whole context where the memory for that stays below 4 GiB; bigger
    models get as many whole contexts as fit, at least one, for the slots to share.

    Raises
    ------
    ConfigurationError
        If the file is no GGUF file.
    """
    header = read_header(path)
    context = min(header.context_length, _LONGEST_CONTEXT)
    per_context = max(context * header.cache_bytes_per_token, 1)
    contexts = max(1, min(slots, _CACHE_MEMORY // per_context))
    # Threads that wait for each other cost a tiny model more than they bring: on two
    # busy cores, two of them were seen to be 50 times slower than one.
    threads = 1 if path.stat().st_size < _TINY_FILE else None
    return Room(slots, context, contexts * context, threads)
