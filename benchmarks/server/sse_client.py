"""A client that only notes when events come, so that it costs little itself."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Heard", "ask"]


@dataclass
class Heard:
    """One stream, as it came.

    Attributes
    ----------
    asked : float
        When the request was sent, in seconds of the performance counter.
    times : list of float
        When each event with text came.
    status : int
        HTTP status.
    whole : bool
        ``[DONE]`` and the end of the body came.
    tokens : int
        Tokens of the answer, by the usage chunk.
    """

    asked: float = 0.0
    times: list[float] = field(default_factory=list)
    status: int = 0
    whole: bool = False
    tokens: int = 0

    @property
    def gaps(self) -> list[float]:
        """Seconds between neighbouring events with text."""
        pairs = zip(self.times, self.times[1:], strict=False)
        return [later - earlier for earlier, later in pairs]


class _Reader(asyncio.Protocol):
    """Cuts the body into events where a blank line ends one, and keeps the times."""

    def __init__(self, request: bytes) -> None:
        self.heard = Heard()
        self.done: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._request = request
        self._open = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        assert isinstance(transport, asyncio.Transport)
        self.heard.asked = time.perf_counter()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take down what came."""
        now = time.perf_counter()
        if not self.heard.status:
            self.heard.status = int(data[9:12])
        *events, self._open = (self._open + data).split(b"\n\n")
        for event in events:
            if b'"content":"' in event and b'"content":""' not in event:
                self.heard.times.append(now)
            elif b'"usage":{' in event:
                count = re.search(rb'"completion_tokens":(\d+)', event)
                self.heard.tokens = int(count[1]) if count else 0
            elif b"[DONE]" in event:
                self.heard.whole = True

    def connection_lost(self, _error: Exception | None) -> None:
        """Hand over what was heard."""
        if not self.done.done():
            self.done.set_result(self.heard)


async def ask(
    url: str, key: str, body: dict[str, Any], headers: Mapping[str, str] | None = None
) -> Heard:
    """Ask for a streamed completion on a connection of its own, and hear it out.

    Parameters
    ----------
    url
        Of ``chat/completions``.
    key
        Goes along as the bearer token.
    body
        The request; it is asked to stream and to count the tokens.
    headers
        Further headers of the request.
    """
    parts = urlsplit(url)
    streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
    data = json.dumps(streamed).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        + "\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "", parts.port or 80
    _, reader = await loop.create_connection(lambda: _Reader(head + data), host, port)
    return await reader.done
