"""The checks that come before every route: each returns a refusal, or None.

They know no session; see :mod:`h2o_magic.server.access`, which runs them in order.
Those of the old service's routes speak its words; :func:`check_openai` is all that
comes before a route of the OpenAI API, which has neither cookies nor forms.
"""

from __future__ import annotations

import hmac
import re
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Scope

from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.replies import early_error

__all__ = [
    "PATIENCE",
    "body_limit",
    "check_body",
    "check_host",
    "check_openai",
    "check_referer",
    "check_token",
    "has_token",
]

_FOREIGN = "This server answers to local addresses only"
#: Largest body, in bytes: chat-ui's own limit, and ours where a history comes along.
_BODY_LIMIT = 512 * 1024
_HISTORY_LIMIT = 8 * 1024 * 1024
_WITH_HISTORY = ("/conversation", "/api/tokenize", "/v1/chat/completions")
#: How much of a refused body is read, in bytes, so that its sender gets to hear why.
PATIENCE = 8 * 1024 * 1024
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


def check_host(headers: Headers) -> Response | None:
    """Refuse requests that a web page sent under a name of its own (DNS rebinding)."""
    return None if _is_local(headers) else early_error(_FOREIGN, 403, headers)


def check_token(headers: Headers, token: str) -> Response | None:
    """Refuse whoever does not have the server's token."""
    if has_token(headers, token):
        return None
    return early_error("You have to be logged in.", 401, headers)


def has_token(headers: Headers, token: str) -> bool:
    """Whether a request carries the server's token; takes equally long for any.

    The word before it may have any case (RFC 9110, 11.1).
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
    return known and scheme.lower() == "bearer"


def check_body(scope: Scope, headers: Headers) -> Response | None:
    """Refuse a path that cannot be decoded and a body that announces too much."""
    if not _can_be_decoded(scope["raw_path"]):
        return PlainTextResponse("Malformed URI", 400)
    if _announces_too_much(scope, headers):
        return Response("Invalid request body", 413)
    return None


def check_openai(
    scope: Scope, headers: Headers, token: str, *, local: bool
) -> Response | None:
    """Refuse, in the shape of the OpenAI API, what its routes should never see."""
    if local and not _is_local(headers):
        return OpenAIError(_FOREIGN, 403, code="foreign_host").response()
    if not has_token(headers, token):
        return OpenAIError(
            "expected the server's token as `Authorization: Bearer <token>`",
            401,
            code="invalid_api_key",
        ).response()
    if not _can_be_decoded(scope["raw_path"]):
        return OpenAIError("expected a path that can be decoded").response()
    if _announces_too_much(scope, headers):
        limit = body_limit(scope["path"])
        return OpenAIError(
            f"expected a body of at most {limit} bytes: shorten the messages",
            413,
            code="request_too_large",
        ).response()
    return None


def _is_local(headers: Headers) -> bool:
    # A page that comes in by a name of its own has a name, not an address, here.
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _announces_too_much(scope: Scope, headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return length.isdecimal() and int(length) > body_limit(scope["path"])


def _can_be_decoded(raw_path: bytes) -> bool:
    try:
        unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not re.search(rb"%(?![0-9A-Fa-f]{2})", raw_path)


def body_limit(path: str) -> int:
    """Return the largest body that a path takes, in bytes."""
    return _HISTORY_LIMIT if path.rstrip("/") in _WITH_HISTORY else _BODY_LIMIT


def check_referer(
    scope: Scope, headers: Headers, *, any_scheme: bool = False
) -> Response | None:
    """Refuse a form that another site's page sent (chat-ui ``hooks.server.ts``).

    With `any_scheme`, the page may have come over TLS, which a proxy took off.
    """
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
    schemes = ("http", "https") if any_scheme else ("http",)
    if parts.scheme not in schemes or parts.netloc != headers.get("host"):
        return early_error("Invalid referer for POST request", 403, headers)
    return None
