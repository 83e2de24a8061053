"""The response to one request: begun once there is something to send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Protocol

from aiohttp import web

from h2o_magic.server.connections import Connection
from h2o_magic.server.errors import RequestError

#: Seconds of waiting without a notice, so that nothing flickers.
QUIET = 0.3
_KEEP_ALIVE_SECONDS = 15.0
_STREAM = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Tell(Protocol):
    """Says what is waited for, and how much of it is done, from 0 to 1."""

    def __call__(self, words: str, progress: float | None = None) -> None: ...


class Reply:
    """Writes a whole answer, or a stream of server-sent events.

    A client that takes `notices` is told by comments what its stream waits for, and so
    gets a later error as an event; for others the status says it.
    """

    def __init__(
        self, http: web.Request, *, streams: bool, notices: bool = False
    ) -> None:
        self.headers: dict[str, str] = {}
        self._http = http
        self._response: web.StreamResponse | None = None
        self._notice: dict[str, object] = {"notice": ""}
        self._told = asyncio.Event()
        self._speaker: asyncio.Task[None] | None = None
        if streams and notices:
            self._speaker = asyncio.ensure_future(self._speak())

    @property
    def begun(self) -> bool:
        """Whether the client has got anything of an answer."""
        return self._response is not None and self._speaker is None

    def tell(self, words: str, progress: float | None = None) -> None:
        """Say what is waited for, and how much of it is done; empty withdraws it."""
        done = {} if progress is None else {"progress": progress}
        self._notice = {"notice": words, **done}
        self._told.set()

    async def stream(self, parts: Iterable[bytes]) -> web.StreamResponse:
        for part in parts:
            await self.write(part)
        return await self.end()

    async def write(self, part: bytes) -> None:
        await self._be_silent()
        response = self._response or await self._begin()
        await response.write(part)
        self._mark(streams=True, between_events=part.endswith(b"\n\n"))

    async def end(self) -> web.StreamResponse:
        await self._be_silent()
        response = self._response or await self._begin()
        await response.write_eof()
        return response

    async def whole(self, body: bytes) -> web.StreamResponse:
        await self._be_silent()
        return web.Response(
            body=body, content_type="application/json", headers=self.headers
        )

    async def fail(self, error: RequestError) -> web.StreamResponse:
        """Send an error: with its status, or where the stream has begun as an event."""
        await self._be_silent()
        if self._response is None:
            response = error.response(self._http.path)
            response.headers.update(self.headers)
            return response
        await self.write(error.event(self._http.path))
        return await self.end()

    async def close(self) -> None:
        await self._be_silent()
        self._mark(streams=False, between_events=False)

    async def _begin(self) -> web.StreamResponse:
        response = web.StreamResponse(headers={**_STREAM, **self.headers})
        response.content_type = "text/event-stream"
        self._response = response
        self._mark(streams=True, between_events=False)
        await response.prepare(self._http)
        return response

    def _mark(self, *, streams: bool, between_events: bool) -> None:
        connection = self._http.protocol
        if isinstance(connection, Connection):
            connection.streams, connection.between_events = streams, between_events

    async def _be_silent(self) -> None:
        if self._speaker is not None:
            speaker, self._speaker = self._speaker, None
            speaker.cancel()
            await asyncio.gather(speaker, return_exceptions=True)

    async def _speak(self) -> None:
        await asyncio.sleep(QUIET)
        said: dict[str, object] = {"notice": ""}
        while self._speaker is not None:  # `wait_for` may swallow the cancellation
            self._told.clear()
            if self._notice != said:
                said = self._notice
                response = self._response or await self._begin()
                await response.write(comment(said))
                self._mark(streams=True, between_events=True)
            try:
                await asyncio.wait_for(self._told.wait(), _KEEP_ALIVE_SECONDS)
            except asyncio.TimeoutError:
                if self._response is not None:
                    await self._response.write(b":\n\n")


def comment(ours: Mapping[str, object]) -> bytes:
    return f": {json.dumps({'h2o_magic': ours})}\n\n".encode()
