"""Bodies of requests: read within limits of size and time, as JSON objects."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from aiohttp import web

from h2o_magic.server.errors import RequestError
from h2o_magic.server.facts import facts_of
from h2o_magic.server.request_queue import RETRY_AFTER

#: Largest body, in bytes; images are part of it.
LIMIT = 16 * 2**20
#: Most values in a body: parsing them holds up everyone else.
_MOST_VALUES = 1_000_000
#: All bodies that are held at one time, in bytes.
_LIMIT_TOGETHER = 256 * 2**20
#: Seconds in which so many bytes must come, or the rest of the body.
_SECONDS, _LEAST = 10.0, 16 * 1024
#: How much of a refused body is read, in bytes, so that its sender learns why.
_DRAINED = 8 * 2**20
_DRAIN_SECONDS = 3.0

_held = web.AppKey("held", list[int])


def limit_together(app: web.Application) -> None:
    app[_held] = [0]


def too_large() -> RequestError:
    return RequestError(
        f"expected a body of at most {LIMIT} bytes: shorten the messages",
        413,
        code="request_too_large",
    )


async def drain(request: web.BaseRequest) -> None:
    """Read a refused request's body for a while: clients read once they have sent."""

    async def read() -> None:
        count = 0
        while count < _DRAINED and (part := await request.content.readany()):
            count += len(part)

    with suppress(asyncio.TimeoutError, ConnectionError, web.RequestPayloadError):
        await asyncio.wait_for(read(), _DRAIN_SECONDS)


async def read_body(request: web.Request) -> bytes:
    """Return the body, limited by what really arrives, whatever was announced."""
    held, body = request.app[_held], bytearray()
    release = facts_of(request).at_end.callback
    while not request.content.at_eof():
        part = await _part(request)
        body += part
        held[0] += len(part)
        release(_release, held, len(part))
        if len(body) > LIMIT:
            await drain(request)
            raise too_large()
        if held[0] > _LIMIT_TOGETHER:
            await drain(request)
            raise RequestError(
                "too many large requests at once: try again later",
                429,
                code="rate_limit_exceeded",
                headers=RETRY_AFTER,
            )
    return bytes(body)


def _release(held: list[int], count: int) -> None:
    held[0] -= count


async def _part(request: web.Request) -> bytes:
    parts = bytearray()

    async def collect() -> None:
        while len(parts) < _LEAST and not request.content.at_eof():
            parts.extend(await request.content.readany())

    try:
        await asyncio.wait_for(collect(), _SECONDS)
    except asyncio.TimeoutError as error:
        raise RequestError(
            f"expected the body at {_LEAST} bytes in {_SECONDS:.0f} s or faster",
            408,
            code="request_timeout",
            headers={"Connection": "close"},
        ) from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise RequestError("the body ended too early, or is damaged") from error
    return bytes(parts)


def parse_object(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object; RequestError for anything else."""
    if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise RequestError(f"expected at most {_MOST_VALUES} values in a body", 413)
    try:
        value: object = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise RequestError("expected JSON that is not nested as deep") from error
    except ValueError as error:
        raise RequestError(f"expected JSON as the body: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(f"expected a JSON object, got {type(value).__name__}")
    return value


async def read_object(request: web.Request) -> dict[str, Any]:
    return parse_object(await read_body(request))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
