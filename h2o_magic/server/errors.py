"""Errors as HTTP responses, in the dialect that the path belongs to.

Under ``/v1`` that is OpenAI's ``{"error": {message, type, param, code}}``, of
``/v1/messages`` with Anthropic's ``"type": "error"``, elsewhere the gpt-gm engine's
``{"error": text, "error_type": word}``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import web

from h2o_magic.errors import (
    ConfigurationError,
    GenerationError,
    MessagesError,
    ParameterError,
)
from h2o_magic.server.request_queue import RETRY_AFTER, OverloadedError
from h2o_magic.weights.memory import NeverFitsError

_log = logging.getLogger(__name__)

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
#: Of Anthropic's dialect alone.
_OTHER_TYPES = {404: "not_found_error", 413: "request_too_large"}


class _Kind(NamedTuple):
    status: int
    code: str
    param: str | None = None


#: What a retry does not help is 400: after 500, clients try again.
_KINDS: dict[type[Exception], _Kind] = {
    NeverFitsError: _Kind(400, "model_too_large", "model"),
    ParameterError: _Kind(400, "invalid_value"),
    MessagesError: _Kind(400, "invalid_value", "messages"),
    OverloadedError: _Kind(429, "rate_limit_exceeded"),
    ConfigurationError: _Kind(400, "model_not_usable", "model"),
    GenerationError: _Kind(500, "generation_failed"),
}
_UNKNOWN = _Kind(500, "internal_error")
#: What text-generation-inference says instead: status and `error_type`.
_OLD = {400: (422, "validation"), 429: (429, "overloaded"), 500: (424, "generation")}


class RequestError(Exception):
    """A request is refused, or its answer failed.

    `param` is the invalid field, such as ``messages[0].role``; `code` is for programs,
    such as ``model_not_found``; `more` are further fields of the error.
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.headers = headers
        self.more = more or {}

    def as_json(self, path: str) -> dict[str, Any]:
        if not is_openai(path):
            return {"error": str(self), "error_type": self._old[1]}
        named = "invalid_request_error" if self.status < 500 else "server_error"
        other = path.startswith("/v1/messages")
        types = _TYPES | _OTHER_TYPES if other else _TYPES
        error = {
            "message": str(self),
            "type": types.get(self.status, named),
            "param": self.param,
            "code": self.code,
            **self.more,
        }
        return {**({"type": "error"} if other else {}), "error": error}

    def response(self, path: str) -> web.Response:
        status = self.status if is_openai(path) else self._old[0]
        return web.json_response(
            self.as_json(path), status=status, headers=self.headers
        )

    @property
    def _old(self) -> tuple[int, str]:
        if self.code == _UNKNOWN.code:
            return 500, "internal"
        return _OLD.get(self.status, (self.status, self.code or "validation"))

    def event(self, path: str) -> bytes:
        """Return the error as the last event of a stream."""
        head = b"event: error\n" if path.startswith("/v1/messages") else b""
        end = b"data: [DONE]\n\n" if is_openai(path) else b""
        return head + f"data: {json.dumps(self.as_json(path))}\n\n".encode() + end


def as_request_error(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    found = (kind for known, kind in _KINDS.items() if isinstance(error, known))
    kind = next(found, _UNKNOWN)
    if kind.status == 500:
        _log.warning("an answer failed", exc_info=error)
    return RequestError(
        "Internal Error" if kind is _UNKNOWN else str(error),
        kind.status,
        param=kind.param,
        code=kind.code,
        headers=RETRY_AFTER if kind.status == 429 else None,
    )


def is_openai(path: str) -> bool:
    return not path.startswith(("/conversation", "/settings", "/api/"))
