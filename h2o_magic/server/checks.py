"""The checks that come before every route: each returns a refusal, or None.

They know no session; see :mod:`h2o_magic.server.access`, which runs them in order.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Scope

from h2o_magic.server.replies import early_error

__all__ = [
    "PATIENCE",
    "body_limit",
    "check_body",
    "check_host",
    "check_referer",
    "check_token",
    "has_token",
]

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
#: Largest body, in bytes: chat-ui's own limit, and ours where a history comes along.
_BODY_LIMIT = 512 * 1024
_HISTORY_LIMIT = 8 * 1024 * 1024
_WITH_HISTORY = ("/conversation", "/api/tokenize")
#: How much of a refused body is read, in bytes, so that its sender gets to hear why.
PATIENCE = 8 * 1024 * 1024
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


def check_host(headers: Headers) -> Response | None:
    """Refuse requests that a web page sent under a name of its own (DNS rebinding)."""
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        host = None
    if host in _LOCAL_HOSTS:
        return None
    return early_error("This server answers to local addresses only", 403, headers)


def check_token(headers: Headers, token: str) -> Response | None:
    """Refuse whoever does not have the server's token."""
    if has_token(headers, token):
        return None
    return early_error("You have to be logged in.", 401, headers)


def has_token(headers: Headers, token: str) -> bool:
    """Whether a request carries the server's token; takes equally long for any."""
    given = headers.get("authorization", "").encode("utf-8", "replace")
    return hmac.compare_digest(given, f"Bearer {token}".encode())


def check_body(scope: Scope, headers: Headers) -> Response | None:
    """Refuse a path that cannot be decoded and a body that announces too much."""
    if not _can_be_decoded(scope["raw_path"]):
        return PlainTextResponse("Malformed URI", 400)
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > body_limit(scope["path"]):
        return Response("Invalid request body", 413)
    return None


def _can_be_decoded(raw_path: bytes) -> bool:
    try:
        unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not re.search(rb"%(?![0-9A-Fa-f]{2})", raw_path)


def body_limit(path: str) -> int:
    """Return the largest body that a path takes, in bytes."""
    return _HISTORY_LIMIT if path.rstrip("/") in _WITH_HISTORY else _BODY_LIMIT


def check_referer(scope: Scope, headers: Headers) -> Response | None:
    """Refuse a form that another site's page sent (chat-ui ``hooks.server.ts``)."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if scope["method"] != "POST" or kind not in _FORMS:
        return None
    referer = headers.get("referer")
    if not referer:
        message = "Non-JSON form requests need to have a referer"
        return early_error(message, 403, headers)
    try:
        parts = urlsplit(referer)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc:  # the old service broke on that, too
        return JSONResponse({"message": "Internal Error"}, 500)
    if (parts.scheme, parts.netloc) != ("http", headers.get("host")):
        return early_error("Invalid referer for POST request", 403, headers)
    return None
