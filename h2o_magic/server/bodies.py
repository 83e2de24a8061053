"""Reads a request's body, within its limit."""

from __future__ import annotations

import json

from starlette.requests import ClientDisconnect, Request

from h2o_magic.server.checks import PATIENCE, body_limit
from h2o_magic.server.replies import RouteError

__all__ = ["read_body", "read_json"]


async def read_body(request: Request) -> bytes:
    """Return the body.

    The announced size was checked on the way in; this counts what really comes.

    Raises
    ------
    RouteError
        If it is too large, or the client left before its end.
    """
    limit = body_limit(request.url.path)
    body = bytearray()
    try:
        async for part in request.stream():
            # Too much is read on for a while: who is still sending hears no answer.
            body += part
            if len(body) > limit + PATIENCE:
                break
    except ClientDisconnect as error:
        raise RouteError("Invalid request body", 400) from error
    if len(body) > limit:
        raise RouteError("Invalid request body", 413)
    return bytes(body)


async def read_json(request: Request) -> object:
    """Return the body's JSON value.

    Raises
    ------
    RouteError
        As :func:`read_body` does, and if the body is no JSON.
    """
    try:
        value: object = json.loads(await read_body(request))
    except ValueError as error:
        raise RouteError(
            "Internal Error", 500, reason=f"expected JSON as the body: {error}"
        ) from error
    return value
