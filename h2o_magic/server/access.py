"""Who may send requests: the ``Host`` header, the token, the body's announced size.

The host is checked where only this machine can connect. A shared server is reached
under names that it does not know; there the token alone keeps foreign web pages out
(also with DNS rebinding), since no browser sends it by itself. No response ever carries
a CORS header, so no web page can read one.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

from aiohttp import web
from multidict import CIMultiDictProxy

from h2o_magic.config.url import is_loopback
from h2o_magic.server.bodies import LIMIT, too_large
from h2o_magic.server.errors import RequestError, is_openai
from h2o_magic.server.request_queue import RETRY_AFTER

#: A name or address and perhaps a port, and nothing else.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)


class Access:
    """Says why a request is refused: `local` if only this machine can connect."""

    def __init__(
        self, token: str, *, local: bool, is_ending: Callable[[], bool]
    ) -> None:
        self._token = token
        self._local = local
        self._is_ending = is_ending

    def refusal(self, request: web.BaseRequest) -> RequestError | None:
        path, headers = request.path, request.headers
        foreign = self._refusal_of_host(headers)
        if foreign is not None or path == "/health":
            return foreign
        if not has_token(headers, self._token):
            # By these words clients know a server that speaks gpt-gm.
            words = "You have to be logged in."
            if is_openai(path):
                words = "expected the server's token as `Authorization: Bearer <token>`"
            return RequestError(words, 401, code="invalid_api_key")
        if (request.content_length or 0) > LIMIT:
            return too_large()
        stops = path == "/shutdown" or path.endswith("/stop-generating")
        begins = request.method not in ("GET", "HEAD", "DELETE") and not stops
        if begins and self._is_ending():
            message = "the server is shutting down: try again later"
            return RequestError(message, 503, code="server_ending", headers=RETRY_AFTER)
        return None

    def _refusal_of_host(self, headers: CIMultiDictProxy[str]) -> RequestError | None:
        hosts = headers.getall("Host", [])
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            words = "expected one header `Host` with a name or address, and its port"
            return RequestError(words, 400)
        if self._local and not is_local(headers):
            message = "this server accepts requests to local addresses only"
            return RequestError(message, 403, code="foreign_host")
        return None


def is_local(headers: CIMultiDictProxy[str]) -> bool:
    """Whether ``Host`` is this machine's; that of DNS rebinding is not."""
    found = _HOST.fullmatch(headers.get("Host", ""))
    name = found[1].strip("[]") if found else ""
    return is_loopback(name)


def has_token(headers: CIMultiDictProxy[str], token: str) -> bool:
    """Whether a request carries the server's token, compared in constant time."""
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":  # in any case (RFC 9110, 11.1)
        given = headers.get("x-api-key", "")
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
