"""Long answers, which end at once when the client disconnects or stops them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from h2o_magic.server.openai_errors import OpenAIError, as_openai
from h2o_magic.server.tgi import KEEP_ALIVE

_T = TypeVar("_T")
_KEEP_ALIVE_SECONDS = 15.0
#: How long the head of a stream waits for its first event: a failure before has a
#: status of its own.
_PATIENCE_SECONDS = 5.0


class ClientLeftError(Exception):
    """The client disconnected before the end of its answer."""


class Unheard(Response):
    """The response to a client that disconnected: nothing is sent."""

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        pass


async def while_connected(receive: Receive, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Return what `work` does; None if it was stopped, or raise ClientLeftError."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        task.cancel()
    left = gone.done() and not gone.cancelled()
    with suppress(asyncio.CancelledError):
        return await task
    if left:
        raise ClientLeftError
    return None


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A stream of server-sent events, with a comment after each 15 s of silence.

    The head waits at most 5 s for the first event that is not a comment, so that an
    earlier error has a status. `events` is always closed at the end; a stream that was
    stopped ends with `stopped`.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        stopped: OpenAIError | None = None,
    ) -> None:
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
        self._stopped = stopped
        self._begun = False
        self._comment = b""
        self._spoke = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pulse = asyncio.ensure_future(self._keep_alive(send))
        try:
            whole = await while_connected(receive, self._send_events(send))
            failed = None if whole else self._stopped
        except ClientLeftError:
            return
        except Exception as error:
            failed = as_openai(error, scope["path"])
        finally:
            pulse.cancel()
        if failed is not None and not self._begun:
            await failed.response(scope["path"])(scope, receive, send)
            return
        await self._begin(send)
        last = b"" if failed is None else failed.events(scope["path"])
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _begin(self, send: Send) -> None:
        if not self._begun:
            self._begun = True
            start = {"type": "http.response.start", "status": self.status_code}
            await send({**start, "headers": self.raw_headers})
            if self._comment:
                await _send_part(send, self._comment)

    async def _send_events(self, send: Send) -> bool:
        async with aclosing(self._events) as events:
            async for event in events:
                self._spoke = time.monotonic()
                is_comment = event.startswith(b":")
                self._comment = event if is_comment else b""
                if is_comment and not self._begun:
                    continue
                await self._begin(send)
                await _send_part(send, event)
        return True

    async def _keep_alive(self, send: Send) -> None:
        await asyncio.sleep(_PATIENCE_SECONDS)
        await self._begin(send)
        while True:
            silence = time.monotonic() - self._spoke
            await asyncio.sleep(_KEEP_ALIVE_SECONDS - silence)
            if time.monotonic() - self._spoke >= _KEEP_ALIVE_SECONDS:
                self._spoke = time.monotonic()
                await _send_part(send, KEEP_ALIVE)


async def _send_part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
