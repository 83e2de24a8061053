"""Who may ask, and in which session.

In this order: the address asked (``Host``), the token, the body's announced size, the
page a form was sent from (``Referer``), the accepted terms. What passes is given its
session, and every answer to it carries the session's cookie. No answer ever carries a
CORS header, so no web page can read one.

The address is checked where only this machine can ask. A server for others is reached
under names that it does not know; there the token alone keeps foreign web pages out,
since a page that comes in by a name of its own (DNS rebinding) does not know it, and no
browser sends it along by itself. Without the token nothing is said but that the server
is well.

The routes of the OpenAI API and ``/metrics`` have no session: no cookie, no terms.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from email.utils import formatdate
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from h2o_magic.server.checks import (
    PATIENCE,
    check_body,
    check_host,
    check_openai,
    check_referer,
    check_token,
)
from h2o_magic.server.conversations import Sessions
from h2o_magic.server.line import RETRY_AFTER
from h2o_magic.server.openai_errors import OpenAIError, is_openai
from h2o_magic.server.replies import early_error

__all__ = ["Access"]

_COOKIE = "hf-chat"
_YEAR = 365 * 24 * 3600
_WITHOUT_TERMS = ("/settings", "/shutdown", "/api/tokenize", "/api/unload")
#: How long a refused request's body is waited for.
_READING_OFF_SECONDS = 3.0
_ENDING = "The server is ending; ask again later"


class Access:
    """ASGI middleware that lets only clients through that know the token.

    Parameters
    ----------
    app
        What is guarded.
    token
        The secret that each request but ``/health`` must carry.
    sessions
        Which sessions accepted the terms.
    activity
        Opened around each request that passes, ``/health`` excepted.
    local
        Whether only this machine can reach the server.
    is_ending
        Whether nothing new may begin any more.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        sessions: Sessions,
        activity: Callable[[], AbstractContextManager[None]],
        local: bool,
        is_ending: Callable[[], bool],
    ) -> None:
        self._app = app
        self._token = token
        self._sessions = sessions
        self._activity = activity
        self._local = local
        self._is_ending = is_ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with its session in the state."""
        headers = Headers(scope=scope)
        path = scope["path"]
        with_session = not is_openai(path) and path != "/metrics"
        session = _session(headers.get("cookie", "")) if with_session else ""
        refusal = self._refusal(scope, headers, session)
        if refusal is not None:
            await _read_off(receive)
            await refusal(scope, receive, send)
        elif path == "/health":
            await self._app(scope, receive, send)
        else:
            scope.setdefault("state", {})["session"] = session
            answer = _with_cookie(send, session) if with_session else send
            with self._activity():
                await self._app(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers, session: str) -> Response | None:
        if is_openai(scope["path"]):
            return check_openai(
                scope, headers, self._token, local=self._local
            ) or self._check_end(scope, headers)
        foreign = check_host(headers) if self._local else None
        if scope["path"] == "/health":
            return foreign
        if scope["path"] == "/metrics":
            return foreign or check_token(headers, self._token)
        return (
            foreign
            or check_token(headers, self._token)
            or check_body(scope, headers)
            or self._check_end(scope, headers)
            or check_referer(scope, headers, any_scheme=not self._local)
            or self._check_terms(scope, headers, session)
        )

    def _check_end(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse what would begin something, when the server is ending."""
        path, method = scope["path"], scope["method"]
        harmless = path == "/shutdown" or path.endswith("/stop-generating")
        if not self._is_ending() or method in ("GET", "HEAD", "DELETE") or harmless:
            return None
        if is_openai(path):
            return OpenAIError(
                _ENDING, 503, code="server_ending", headers=RETRY_AFTER
            ).response()
        refusal = early_error(_ENDING, 503, headers)
        refusal.headers.update(RETRY_AFTER)
        return refusal

    def _check_terms(
        self, scope: Scope, headers: Headers, session: str
    ) -> Response | None:
        if scope["method"] in ("GET", "HEAD") or scope["path"] in _WITHOUT_TERMS:
            return None
        if self._sessions.has_accepted(session):
            return None
        message = "You need to accept the welcome modal first"
        return early_error(message, 405, headers)


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


def _session(cookie: str) -> str:
    """Return the session's id: any value that the client sent, as the service did."""
    value = cookie_parser(cookie).get(_COOKIE, "")
    return value if re.fullmatch(r"[!-:<-~]{1,256}", value) else str(uuid4())


def _with_cookie(send: Send, session: str) -> Send:
    expires = formatdate(time.time() + _YEAR, usegmt=True)
    cookie = f"{_COOKIE}={session}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax"

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", cookie)
        await send(message)

    return send_with_cookie
