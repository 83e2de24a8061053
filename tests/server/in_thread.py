"""The server's application in this process, with parts that a test chose."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from h2o_magic.server.app import build_app
from h2o_magic.server.conversations import Conversations
from h2o_magic.server.ending import IdleTimer
from h2o_magic.server.line import Line
from h2o_magic.server.models import Models
from h2o_magic.server.runtime_file import Runtime
from tests.server.client import Client, until


@contextmanager
def served(models: Models, *, queue: int = 64) -> Iterator[Client]:
    """Serve `models` from a thread, and yield a client."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runtime = Runtime(url, "token", 0, "instance", "0", None)
    server: uvicorn.Server

    def end() -> None:
        server.should_exit = True

    line = Line(models.slots, queue)
    app = build_app(
        runtime, models, Conversations(), line=line, idle=IdleTimer(0), end=end
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))

    async def run() -> None:
        await server.serve(sockets=[listening])
        await models.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        until(lambda: server.started)
        yield Client(url, "token")
    finally:
        end()
        thread.join()
        listening.close()
