"""Who may ask: the address asked (``Host``), the token, the body's announced size.

The address is checked where only this machine can ask. A server for others is reached
under names that it does not know; there the token alone keeps foreign web pages out,
since a page that comes in by a name of its own (DNS rebinding) does not know it, and no
browser sends it along by itself. So no form of another site's page gets in, either. No
answer ever carries a CORS header, so no web page can read one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from h2o_magic.server.checks import (
    PATIENCE,
    announces_too_much,
    has_token,
    is_local,
    too_large,
)
from h2o_magic.server.line import RETRY_AFTER
from h2o_magic.server.openai_errors import OpenAIError, is_openai

#: How long a refused request's body is waited for.
_READING_OFF_SECONDS = 3.0


class Access:
    """ASGI middleware that lets only clients through that know the token.

    `activity` is opened around each request that passes, ``/health`` excepted; `local`
    says whether only this machine can reach the server.
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
        """Refuse a request, or pass it on."""
        path = scope["path"]
        refusal = self._refusal(path, scope["method"], Headers(scope=scope))
        if refusal is not None:
            await _read_off(receive)
            await refusal.response(path)(scope, receive, send)
        elif path == "/health":
            await self._app(scope, receive, send)
        else:
            with self._activity():
                await self._app(scope, receive, send)

    def _refusal(self, path: str, method: str, headers: Headers) -> OpenAIError | None:
        if self._local and not is_local(headers):
            message = "this server answers to local addresses only"
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
        harmless = path == "/shutdown" or path.endswith("/stop-generating")
        begins = method not in ("GET", "HEAD", "DELETE") and not harmless
        if begins and self._is_ending():
            message = "the server is ending: ask again later"
            return OpenAIError(message, 503, code="server_ending", headers=RETRY_AFTER)
        return None


async def _read_off(receive: Receive) -> None:
    """Read a refused request's body, for a while: who is still sending hears no answer.

    Who announced a body and sends none hears it late, but keeps nothing open.
    """

    async def read() -> None:
        count, more = 0, True
        while more and count < PATIENCE:
            message = await receive()
            count += len(message.get("body", b""))
            more = message.get("more_body", False)

    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), _READING_OFF_SECONDS)
