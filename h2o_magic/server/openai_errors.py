"""Errors as HTTP responses, in the dialect that the path belongs to.

Under ``/v1`` that is OpenAI's ``{"error": {message, type, param, code}}``, elsewhere
the gpt-gm engine's ``{"error": text, "error_type": word}``.
"""

from __future__ import annotations

import json
import logging
from typing import Any, NamedTuple

from starlette.responses import JSONResponse, Response

from h2o_magic.errors import (
    ConfigurationError,
    GenerationError,
    MessagesError,
    ParameterError,
)
from h2o_magic.server.line import RETRY_AFTER, OverloadedError
from h2o_magic.server.prompts import EffortError
from h2o_magic.weights.memory import NeverFitsError

_log = logging.getLogger(__name__)

#: The last event of every stream of the OpenAI API.
DONE = b"data: [DONE]\n\n"

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


class _Kind(NamedTuple):
    """An error in OpenAI's terms, and in gpt-gm's."""

    status: int
    code: str
    old_status: int
    old_type: str
    param: str | None = None


#: What a retry does not help is 400: after 500, clients try again.
_KINDS: dict[type[Exception], _Kind] = {
    NeverFitsError: _Kind(400, "model_too_large", 422, "validation", "model"),
    EffortError: _Kind(
        400, "unsupported_parameter", 422, "validation", "reasoning_effort"
    ),
    ParameterError: _Kind(400, "invalid_value", 422, "validation", "response_format"),
    MessagesError: _Kind(400, "invalid_value", 422, "validation", "messages"),
    OverloadedError: _Kind(429, "rate_limit_exceeded", 429, "overloaded"),
    ConfigurationError: _Kind(500, "generation_failed", 424, "generation"),
    GenerationError: _Kind(500, "generation_failed", 424, "generation"),
}
_UNKNOWN = _Kind(500, "internal_error", 500, "internal")


class OpenAIError(Exception):
    """A request is refused, or its answer failed."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param  # the invalid field, such as `messages[0].role`
        self.code = code  # for programs, such as `model_not_found`
        self.headers = headers

    def as_json(self, path: str) -> dict[str, Any]:
        if not is_openai(path):
            return {"error": str(self), "error_type": self.code or "validation"}
        named = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {
                "message": str(self),
                "type": _TYPES.get(self.status, named),
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self, path: str) -> Response:
        return JSONResponse(self.as_json(path), self.status, self.headers)

    def events(self, path: str) -> bytes:
        event = f"data: {json.dumps(self.as_json(path))}\n\n".encode()
        return event + DONE if is_openai(path) else event


def as_openai(error: Exception, path: str) -> OpenAIError:
    if isinstance(error, OpenAIError):
        return error
    found = (kind for known, kind in _KINDS.items() if isinstance(error, known))
    kind = next(found, _UNKNOWN)
    if kind.status == 500:
        _log.warning("an answer failed", exc_info=error)
    openai = is_openai(path)
    return OpenAIError(
        "Internal Error" if kind is _UNKNOWN else str(error),
        kind.status if openai else kind.old_status,
        param=kind.param,
        code=kind.code if openai else kind.old_type,
        headers=RETRY_AFTER if kind.status == 429 else None,
    )


def is_openai(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")
