"""Errors as the OpenAI API says them: ``{"error": {message, type, param, code}}``."""

from __future__ import annotations

import json
import logging
from typing import Any

from starlette.responses import JSONResponse, Response

from h2o_magic.errors import ConfigurationError, GenerationError
from h2o_magic.server.line import RETRY_AFTER, OverloadedError
from h2o_magic.server.prompts import EffortError
from h2o_magic.server.replies import RouteError
from h2o_magic.server.room import NeverFitsError
from h2o_magic.server.sampling import ValidationError

__all__ = ["DONE", "OpenAIError", "as_openai", "is_openai"]

_log = logging.getLogger(__name__)

#: The last event of every stream.
DONE = b"data: [DONE]\n\n"

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}

#: What no repetition helps against is 400: after 500, clients ask again.
_REFUSALS: dict[type[Exception], tuple[str, str]] = {
    ValidationError: ("response_format", "invalid_value"),
    EffortError: ("reasoning_effort", "unsupported_parameter"),
    NeverFitsError: ("model", "model_too_large"),
}


class OpenAIError(Exception):
    """A request is refused, or its answer failed.

    Parameters
    ----------
    message
        What was expected, what came, what to do.
    status
        HTTP status; the error's ``type`` follows from it.
    param
        The field that is to blame, such as ``messages[0].role``.
    code
        A word for programs, such as ``model_not_found``.
    headers
        Further headers of the answer, such as ``Retry-After``.
    """

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
        self.param = param
        self.code = code
        self.headers = headers

    def as_json(self) -> dict[str, Any]:
        """Return the error's object."""
        named = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {
                "message": str(self),
                "type": _TYPES.get(self.status, named),
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> Response:
        """Return it as an answer of its own."""
        return JSONResponse(self.as_json(), self.status, self.headers)

    def events(self) -> bytes:
        """Return it as the end of a stream that has begun."""
        return f"data: {json.dumps(self.as_json())}\n\n".encode() + DONE


def as_openai(error: Exception) -> OpenAIError:
    """Return what an error is called in this API."""
    if isinstance(error, OpenAIError):
        return error
    if isinstance(error, RouteError):
        return OpenAIError(error.reason or error.message, error.status)
    if isinstance(error, OverloadedError):
        return OpenAIError(
            "too many answers are being waited for: ask again in a while",
            429,
            code="rate_limit_exceeded",
            headers=RETRY_AFTER,
        )
    for kind, (param, code) in _REFUSALS.items():
        if isinstance(error, kind):
            return OpenAIError(str(error), param=param, code=code)
    _log.warning("an answer failed", exc_info=error)
    if isinstance(error, ConfigurationError | GenerationError):
        return OpenAIError(str(error), 500, code="generation_failed")
    return OpenAIError("Internal Error", 500, code="internal_error")


def is_openai(path: str) -> bool:
    """Whether a path is one of the OpenAI API, where errors have its shape."""
    return path == "/v1" or path.startswith("/v1/")
