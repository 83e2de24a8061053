"""The models in memory: loaded at first use, unloaded when others need the memory.

Each has an engine process of its own, so that loading one, or its death, is nothing to
the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from h2o_magic.config.models import title_of
from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine_process import Engine
from h2o_magic.weights.files import Weights
from h2o_magic.weights.memory import (
    TINY_FILE,
    MemoryPlan,
    default_memory,
    memory_needed,
    plan_memory,
)
from h2o_magic.weights.names import FileState, file_state

_log = logging.getLogger(__name__)

#: More than demo weights take, in bytes.
_DEMO_MEMORY = 2**30

#: A file, and whether its engine embeds texts in place of answering.
_Key: TypeAlias = tuple[FileState, bool]
_Tell: TypeAlias = Callable[[str], None]
Load: TypeAlias = Callable[[Weights, MemoryPlan], Awaitable[Engine]]


@dataclass(slots=True)
class _Held:
    engine: Engine
    memory: int
    demo: bool
    names: set[str] = field(default_factory=set)
    users: int = 0
    used: float = 0.0

    def acquire(self, weights: Weights) -> None:
        self.users += 1
        self.names.add(weights.model)


class Models:
    """Loads engines within a budget of memory.

    The demo weights stay loaded and do not count (a few MB). Of the others, idle ones
    are unloaded for new ones, least recently used first; a new one waits until there is
    room. A file that was replaced under its path is another model.

    One engine writes `slots` answers at once. `load` starts an engine. `memory` is for
    all models together, in bytes; None for a share of the machine's.
    """

    def __init__(
        self,
        slots: int,
        load: Load,
        *,
        memory: int | None = None,
    ) -> None:
        self.slots = slots
        self.memory = default_memory() if memory is None else memory
        self._load = load
        self._held: dict[_Key, _Held] = {}
        # Held while a model of the kind is loaded or unloaded, in order of arrival.
        self._change = {demo: asyncio.Lock() for demo in (True, False)}
        self._loading: dict[Path, asyncio.Future[Engine]] = {}
        self._leaving = 0
        self._closed = False
        self._released = asyncio.Event()
        #: Held by a request whose engine had to be ended while it asks once more.
        self.second_tries = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        # Whether a request waits for room: then the models in memory take no new ones
        # before it, or it would wait for ever.
        self._crowded = False

    @property
    def busy_slots(self) -> int:
        return sum(held.engine.queue.running for held in self._held.values())

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot of a loaded model."""
        return sum(held.engine.queue.waiting for held in self._held.values())

    @property
    def loaded(self) -> list[str]:
        """The names under which the models in memory were requested."""
        return sorted({name for held in self._held.values() for name in held.names})

    @property
    def memory_taken(self) -> int:
        return self._leaving + sum(held.memory for held in self._held.values())

    @asynccontextmanager
    async def use(
        self, weights: Weights, *, embeds: bool = False, tell: _Tell = lambda _: None
    ) -> AsyncIterator[Engine]:
        """Use the engine of `weights`, loading it first if needed.

        One that `embeds` texts is another: it reads each of them at once. `tell` gets
        what is waited for, and an empty text when that is over.
        """
        held = self._ready(weights, embeds)
        if held is None:
            acquiring = asyncio.ensure_future(self._acquire(weights, embeds, tell))
            try:
                # The client may leave while the model loads, which then stays loaded.
                held = await asyncio.shield(acquiring)
            except asyncio.CancelledError:
                acquiring.add_done_callback(self._release_unused)
                raise
            tell("")
        else:
            held.acquire(weights)
        try:
            yield held.engine
        finally:
            self._release(held)

    async def unload(self, path: Path) -> bool:
        """Unload the model at `path`; return False if it is in use, and so stays."""
        if path in self._loading or any(h.users for h in self._of_path(path).values()):
            return False
        await self._retire(path)
        return True

    async def close(self) -> None:
        """Unload everything, once the answers have ended; load nothing any more."""
        self._closed = True
        for loading in self._loading.values():
            loading.cancel()
        async with self._change[True], self._change[False]:
            await asyncio.gather(*map(self._unload, list(self._held)), *self._closing)

    def _ready(self, weights: Weights, embeds: bool) -> _Held | None:
        held = self._alive((file_state(weights.path), embeds))
        return None if held and self._crowded and not held.demo else held

    def _alive(self, key: _Key) -> _Held | None:
        held = self._held.get(key)
        return held if held and held.engine.is_running else None

    async def _acquire(self, weights: Weights, embeds: bool, tell: _Tell) -> _Held:
        if weights.path in self._loading:
            self._say_loading(weights, tell)
        elif self._change[weights.demo].locked():
            tell("Waiting for another model to be loaded")
        async with self._change[weights.demo]:
            held = self._alive((file_state(weights.path), embeds))
            held = held or await self._load_new(weights, embeds, tell)
        held.acquire(weights)
        return held

    def _release_unused(self, acquiring: asyncio.Future[_Held]) -> None:
        if not acquiring.cancelled() and acquiring.exception() is None:
            self._release(acquiring.result())

    def _release(self, held: _Held) -> None:
        held.users -= 1
        held.used = time.monotonic()
        self._released.set()

    async def _load_new(self, weights: Weights, embeds: bool, tell: _Tell) -> _Held:
        path = weights.path
        # Of before it is read: what changes meanwhile is loaded anew the next time.
        key = (file_state(path), embeds)
        await self._retire(path, but=key[0])
        room, memory = await asyncio.to_thread(self._plan, weights)
        room = replace(room, embeds=embeds)
        await self._make_room(memory, tell)
        if self._closed:
            raise _shutting_down()
        self._say_loading(weights, tell)
        _log.info("loading %s for %s, %s", path, weights.model, size_in_words(memory))
        self._loading[path] = asyncio.ensure_future(self._load(weights, room))
        try:
            engine = await self._loading[path]
        except asyncio.CancelledError:
            raise _shutting_down() from None
        finally:
            del self._loading[path]
        self._held[key] = held = _Held(engine, memory, weights.demo)
        engine.at_end(lambda: self._bury(key, held))
        return held

    def _bury(self, key: _Key, held: _Held) -> None:
        """Forget an engine whose process has ended by itself."""
        if self._held.get(key) is held:
            del self._held[key]
            self._closing.add(task := asyncio.ensure_future(held.engine.close()))
            task.add_done_callback(self._closing.discard)
            self._released.set()

    def _say_loading(self, weights: Weights, tell: _Tell) -> None:
        if weights.size >= TINY_FILE:  # a smaller one loads in a moment
            tell(f"Loading {title_of(weights.model)}, {size_in_words(weights.size)}")

    def _plan(self, weights: Weights) -> tuple[MemoryPlan, int]:
        """Return what the engine should hold, and what of the budget that takes."""
        if weights.demo:
            return plan_memory(weights.path, self.slots, _DEMO_MEMORY), 0
        room = plan_memory(weights.path, self.slots, self.memory)
        return room, memory_needed(weights.path, room)

    async def _make_room(self, memory: int, tell: _Tell) -> None:
        while memory and self.memory_taken + memory > self.memory:
            there = {key: held for key, held in self._held.items() if not held.demo}
            idle = [key for key, held in there.items() if not held.users]
            if idle:
                await self._unload(min(idle, key=lambda key: there[key].used))
                continue
            names = sorted(name for held in there.values() for name in held.names)
            tell(f"Waiting for memory used by {' and '.join(names) or 'another model'}")
            self._released.clear()
            self._crowded = True
            try:
                await self._released.wait()
            finally:
                self._crowded = False

    def _of_path(self, path: Path) -> dict[_Key, _Held]:
        return {key: held for key, held in self._held.items() if key[0][0] == path}

    async def _retire(self, path: Path, but: FileState | None = None) -> None:
        """Unload the idle engines of a file, save those of one state of it."""
        for key, held in self._of_path(path).items():
            if not held.users and key in self._held and key[0] != but:
                await self._unload(key)

    async def _unload(self, key: _Key) -> None:
        held = self._held.pop(key)
        _log.info("unloading %s", key[0][0])
        self._leaving += held.memory
        try:
            await held.engine.close()
        finally:
            self._leaving -= held.memory
            self._released.set()


def _shutting_down() -> ConfigurationError:
    return ConfigurationError("the server is shutting down: try again when it is back")
