"""Engines for tests: real ones, and HTTP servers whose answers a test writes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
from aiohttp import web

from h2o_magic.server.engine_process import Engine
from h2o_magic.server.loading import loader
from h2o_magic.server.models import Load, Models
from h2o_magic.server.request_queue import RequestQueue
from h2o_magic.weights.files import Weights
from h2o_magic.weights.memory import MemoryPlan

_T = TypeVar("_T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def real_models(slots: int = 4, *, memory: int | None = None) -> Models:
    return Models(slots, loader(64), memory=memory)


@dataclass
class Script:
    """What an engine without a model answers, and what it was asked.

    `answer` gets all but what the server asks about the model itself.
    """

    answer: Handler
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/props":
            settings = {"n_ctx": 4096}
            return web.json_response({"default_generation_settings": settings})
        self.asked.append((request.path, await request.read()))
        return await self.answer(request)

    def load(self, slots: int = 4) -> Load:
        """Return what starts such an engine for whatever weights."""

        async def load(weights: Weights, _plan: MemoryPlan) -> Engine:
            app = web.Application(client_max_size=2**30)
            app.router.add_route("*", "/{path:.*}", self.handle)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            engine = Scripted(weights.model, url, runner, slots)
            await engine.learn()
            return engine

        return load

    def models(self) -> Models:
        return Models(4, self.load())


class Scripted(Engine):
    """An engine that is a server in this process."""

    def __init__(self, name: str, url: str, runner: web.AppRunner, slots: int) -> None:
        super().__init__(name, url, "key", RequestQueue(slots, 4096 * slots, 64))
        self._runner = runner

    async def close(self) -> None:
        await super().close()
        await self._runner.cleanup()


async def send_events(
    request: web.Request, *events: object, cut: bool = False
) -> web.StreamResponse:
    """Answer with server-sent events; `cut` breaks the connection off after them."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
    if cut and request.transport is not None:
        request.transport.abort()
    return response


@dataclass
class EngineLoop:
    """An event loop in a thread, with real engines in it."""

    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    def start(self, path: Path, plan: MemoryPlan) -> Engine:
        weights = Weights(str(path), str(path), path)
        return self.run(_load(weights, plan))


async def _load(weights: Weights, plan: MemoryPlan) -> Engine:
    return await loader(64)(weights, plan)


@contextmanager
def engine_loop() -> Iterator[EngineLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield EngineLoop(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def engines(of: int | None = None) -> list[psutil.Process]:
    """Return the engines of a process, the oldest first; of this one for None."""
    found = filter(_is_engine, psutil.Process(of).children())
    return sorted(found, key=lambda child: child.create_time())


def _is_engine(process: psutil.Process) -> bool:
    try:
        return "h2o_magic.server.engine" in process.cmdline()
    except psutil.ZombieProcess:  # one that has ended
        return False
