"""What is checked of a request before its route: host, token and size."""

from __future__ import annotations

import hmac
import json
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from h2o_magic.errors import ParameterError
from h2o_magic.server.openai_errors import OpenAIError

#: Largest body, in bytes, and that of the routes that take a history.
_BODY_LIMIT = 512 * 1024
_HISTORY_LIMIT = 8 * 1024 * 1024
_WITH_HISTORY = ("/conversation", "/api/tokenize", "/v1/chat/completions")
#: How much of a refused body is read, in bytes, so that its sender learns why.
MAX_DRAINED = 8 * 1024 * 1024


def is_local(headers: Headers) -> bool:
    """Whether ``Host`` is this machine's; that of DNS rebinding is not."""
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def has_token(headers: Headers, token: str) -> bool:
    """Whether a request carries the server's token, compared in constant time."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
    return known and scheme.lower() == "bearer"  # in any case (RFC 9110, 11.1)


def announces_too_much(headers: Headers, path: str) -> bool:
    length = headers.get("content-length", "0")
    return length.isdecimal() and int(length) > _body_limit(path)


def too_large(path: str) -> OpenAIError:
    return OpenAIError(
        f"expected a body of at most {_body_limit(path)} bytes: shorten the messages",
        413,
        code="request_too_large",
    )


async def read_body(request: Request) -> bytes:
    """Return the body, limited by what really arrives, whatever was announced."""
    path = request.url.path
    limit = _body_limit(path)
    body = bytearray()
    try:
        async for part in request.stream():
            # Too large a body is read for a while: clients read once they have sent.
            body += part
            if len(body) > limit + MAX_DRAINED:
                break
    except ClientDisconnect as error:
        raise OpenAIError(
            "the client disconnected before the end of the body"
        ) from error
    if len(body) > limit:
        raise too_large(path)
    return bytes(body)


async def read_object(request: Request) -> dict[str, object]:
    try:
        value: object = json.loads(await read_body(request))
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"expected JSON as the body: {error}") from error
    if not isinstance(value, dict):
        raise ParameterError(f"expected a JSON object, got {type(value).__name__}")
    return value


def _body_limit(path: str) -> int:
    return _HISTORY_LIMIT if path.rstrip("/") in _WITH_HISTORY else _BODY_LIMIT
