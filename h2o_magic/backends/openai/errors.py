"""What the failures of an OpenAI-compatible server mean, and what to do about them.

Pure. The failures are those in tests/recordings/openai, and those that hosted services
document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from h2o_magic.backends.error_advice import (
    ADDRESS,
    COMMON,
    FAILED,
    KEY,
    TOO_LONG,
    Row,
    is_final,
    message_of,
    refusal_message,
)
from h2o_magic.backends.openai.request import Body
from h2o_magic.backends.openai.too_long import is_too_long
from h2o_magic.backends.retry import BUSY_STATUSES, requested_wait
from h2o_magic.errors import BackendError, GenerationError, StatusError, did_you_mean

_ADVICE: tuple[Row, ...] = (
    (400, "no connected db", KEY),  # LiteLLM without a database, for a wrong key
    (400, "", ""),
    (405, "", ADDRESS),
    (422, "", ""),
    (500, "", FAILED),
    *COMMON,
)
_NO_MODEL = re.compile(
    r"model.{0,200}(does not exist|not exist|not found|not available)"
    r"|(invalid|unknown|no such|not a valid) model|model_not_found|your model\b"
    r"|deployment.{0,80}does not exist|no endpoints found",
    re.IGNORECASE | re.DOTALL,
)
#: How llama_cpp.server and transformers refuse a body.
_INVALID = re.compile(
    r"validation error|schema|response_format|grammar|messages with the same role",
    re.IGNORECASE,
)
_REFUSED = frozenset({400, 422})
#: The type of an error in the stream, of a server that is busy.
_BUSY_TYPES = frozenset(map(str, BUSY_STATUSES)) | {"overloaded", "overloaded_error"}
_STATUSES = frozenset(map(str, range(400, 600)))
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What an error's message may refer to; `names` returns the server's models."""

    url: str
    model: str = ""
    body: Body | None = None
    names: Callable[[], Sequence[str]] = tuple


def is_busy(error: BackendError, body: Body | None) -> bool:
    """Return whether the server may answer after a wait."""
    if isinstance(error, GenerationError):
        return error.error_type in _BUSY_TYPES and not is_final(str(error))
    if not isinstance(error, StatusError) or is_final(error.server_message):
        return False
    said = error.server_message
    if error.status == 429:
        # A limit of questions a minute does not pass within seconds, unless the server
        # says so.
        return requested_wait(error) is not None
    # Some servers answer 500 where the question is at fault.
    field = body.refused(said) if body is not None else None
    named = _NO_MODEL.search(said) or _INVALID.search(said)
    at_fault = field or named or is_too_long(said)
    return error.status in BUSY_STATUSES and not at_fault


def refusal_words(error: BackendError) -> str:
    """Return what the server said about the request, if it refused it."""
    if isinstance(error, StatusError):
        return error.server_message if error.status in _REFUSED else ""
    return str(error) if isinstance(error, GenerationError) else ""


def explain(error: BackendError, info: RequestInfo) -> str:
    if isinstance(error, GenerationError) and not error.partial:
        said = str(error)
        known = error.error_type in _STATUSES
        if known or is_final(said):  # within an answer with status 200
            status = int(error.error_type) if known else 400
            refusal = StatusError(said, status=status, server_message=said)
            return _refusal(refusal, info)
        advice = _about_request(said, info)
        return _joined(said, advice) if advice else said
    return message_of(error, lambda refusal: _refusal(refusal, info))


def _refusal(error: StatusError, info: RequestInfo) -> str:
    said = error.server_message
    advice = _about_request(said, info)
    if advice and error.status in (400, 404, 422, 500):
        return _joined(said, advice)
    if error.status in (400, 404) and info.model and _NO_MODEL.search(said):
        return _about_model(said, info)
    kind = "OpenAI-compatible server"
    message = refusal_message(error, _ADVICE, url=info.url, model=info.model, kind=kind)
    # How `transformers serve` answers for a model that it does not have.
    missing = error.status == 500 and info.model and not is_final(said)
    if missing and info.model not in info.names():
        message += f" (it may not have {info.model!r})"
    return message


def _about_request(said: str, info: RequestInfo) -> str:
    field = info.body.refused(said) if info.body is not None else None
    if info.body is not None and field is not None and field in info.body.origins:
        return f"leave out `{info.body.origins[field]}`, or give it another value"
    return TOO_LONG if is_too_long(said) else ""


def _about_model(said: str, info: RequestInfo) -> str:
    names = list(info.names())
    if info.model in names:
        return _joined(said, "the server lists the model; its log may say why")
    hint = f"it says: {said}"
    if names:
        hint = did_you_mean(info.model, names, most=_MOST_NAMES)
    return f"the server has no model {info.model!r}: {hint}"


def _joined(said: str, advice: str) -> str:
    return f"{said.rstrip('.')}: {advice}"
