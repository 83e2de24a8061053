"""Who may send requests: the ``Host`` header, the token, the body's announced size.

The host is checked where only this machine can connect. A shared server is reached
under names that it does not know; there the token alone keeps foreign web pages out
(also with DNS rebinding), since no browser sends it by itself. No response ever carries
a CORS header, so no web page can read one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from h2o_magic.server.checks import (
    MAX_DRAINED,
    announces_too_much,
    has_token,
    is_local,
    too_large,
)
from h2o_magic.server.line import RETRY_AFTER
from h2o_magic.server.openai_errors import OpenAIError, is_openai

#: How long to wait for a refused request's body.
_DRAIN_SECONDS = 3.0


class Access:
    """ASGI middleware that admits only clients that know the token.

    `activity` is entered for each admitted request except ``/health``; `local` says
    whether only this machine can reach the server.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        activity: Callable[[], AbstractContextManager[None]],
        local: bool,
        is_ending: Callable[[], bool],
    ) -> None:
        self._app = app
        self._token = token
        self._activity = activity
        self._local = local
        self._is_ending = is_ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        refusal = self._refusal(path, scope["method"], Headers(scope=scope))
        if refusal is not None:
            await _drain(receive)
            await refusal.response(path)(scope, receive, send)
        elif path == "/health":
            await self._app(scope, receive, send)
        else:
            with self._activity():
                await self._app(scope, receive, send)

    def _refusal(self, path: str, method: str, headers: Headers) -> OpenAIError | None:
        if self._local and not is_local(headers):
            message = "this server accepts requests to local addresses only"
            return OpenAIError(message, 403, code="foreign_host")
        if path == "/health":
            return None
        if not has_token(headers, self._token):
            # By these words clients know a server that speaks gpt-gm.
            words = "You have to be logged in."
            if is_openai(path):
                words = "expected the server's token as `Authorization: Bearer <token>`"
            return OpenAIError(words, 401, code="invalid_api_key")
        if announces_too_much(headers, path):
            return too_large(path)
        stops = path == "/shutdown" or path.endswith("/stop-generating")
        begins = method not in ("GET", "HEAD", "DELETE") and not stops
        if begins and self._is_ending():
            message = "the server is shutting down: try again later"
            return OpenAIError(message, 503, code="server_ending", headers=RETRY_AFTER)
        return None


async def _drain(receive: Receive) -> None:
    """Read a refused request's body for a while: clients read once they have sent."""

    async def read() -> None:
        count, more = 0, True
        while more and count < MAX_DRAINED:
            message = await receive()
            count += len(message.get("body", b""))
            more = message.get("more_body", False)

    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), _DRAIN_SECONDS)
