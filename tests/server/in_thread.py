"""The server's application in this process, with parts that a test chose."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from h2o_magic.server.app import build_app
from h2o_magic.server.ending import IdleTimer
from h2o_magic.server.models import Models
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.serve import serving
from h2o_magic.server.stopping import Stopping
from tests.server.client import Client


@contextmanager
def served(make: Callable[[], Models]) -> Iterator[Client]:
    """Serve what `make` returns, called in the server's thread, and yield a client."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runtime = Runtime(url, "token", 0, "instance", "0", None)
    begun, loops = threading.Event(), list[asyncio.AbstractEventLoop]()
    ended = asyncio.Event()

    async def run() -> None:
        models = make()
        app = build_app(
            runtime, models, idle=IdleTimer(0), stopping=Stopping(), end=ended.set
        )
        loops.append(asyncio.get_running_loop())
        async with serving(app, listening):
            begun.set()
            await ended.wait()
        await models.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert begun.wait(60)
        yield Client(url, "token")
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join()
