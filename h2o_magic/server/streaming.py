"""Answers that take a while: they end at once when the client leaves or says stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from h2o_magic.server.tgi import KEEP_ALIVE

__all__ = ["EventStream", "while_connected"]

_T = TypeVar("_T")
_KEEP_ALIVE_SECONDS = 15.0


async def while_connected(receive: Receive, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Run `work`, and cancel it when the client leaves.

    Returns
    -------
    object or None
        What `work` returned; None if it was cancelled, by us or by a stop.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        task.cancel()
    with suppress(asyncio.CancelledError):
        return await task
    return None


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A stream of server-sent events, with a comment after each 15 s of silence.

    Parameters
    ----------
    events
        The encoded events. It is closed when the stream ends, in whatever way.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(
            {
                "cache-control": "no-cache",
                "content-type": "text/event-stream",
                "x-accel-buffering": "no",
            }
        )
        self._events = events
        self._spoke = time.monotonic()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        pulse = asyncio.ensure_future(self._keep_alive(send))
        try:
            await while_connected(receive, self._send_events(send))
        finally:
            pulse.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            async for event in events:
                self._spoke = time.monotonic()
                await _send_part(send, event)

    async def _keep_alive(self, send: Send) -> None:
        while True:
            silence = time.monotonic() - self._spoke
            await asyncio.sleep(_KEEP_ALIVE_SECONDS - silence)
            if time.monotonic() - self._spoke >= _KEEP_ALIVE_SECONDS:
                self._spoke = time.monotonic()
                await _send_part(send, KEEP_ALIVE)


async def _send_part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
