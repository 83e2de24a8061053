"""How a failure of an OpenAI-compatible server is told to the user, and what to do.

Pure. What the failures of seven servers look like is in tests/recordings/openai.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from h2o_magic.backends.error_advice import (
    ADDRESS,
    COMMON,
    KEY,
    TOO_LONG,
    Row,
    advised,
    told,
)
from h2o_magic.backends.openai.request import Body
from h2o_magic.errors import BackendError, GenerationError, StatusError, did_you_mean

_NO_QUOTA, _NO_BALANCE = "insufficient_quota", "insufficient balance"
_BILLING = "check the plan and the billing of the account that the key belongs to"
_SLOW = "the server gave up waiting; ask again in a minute"
_ADVICE: tuple[Row, ...] = (
    (400, "no connected db", KEY),  # LiteLLM without a database, for a wrong key
    (400, "", ""),
    (402, "", _BILLING),
    (405, "", ADDRESS),
    (408, "", _SLOW),
    (422, "", ""),
    (429, _NO_QUOTA, _BILLING),
    (429, "exceeded your current quota", f"{_BILLING}, or ask again {{later}}"),
    (429, _NO_BALANCE, _BILLING),
    (500, "", "the server failed; its log may say why"),
    (529, "", "the server is overloaded; ask again in a minute"),
    *COMMON,
)
_CONTEXT = re.compile(
    r"exceeds? the available context|maximum context length|context[_ ]?length[_ ]"
    r"exceed|exceed_context|contextwindowexceeded|context window",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,200}(does not exist|not exist|not found|not available)"
    r"|(invalid|unknown|no such|not a valid) model|model_not_found|your model\b",
    re.IGNORECASE | re.DOTALL,
)
#: What llama_cpp.server and transformers say of a body that they cannot take.
_INVALID = re.compile(
    r"validation error|schema|response_format|grammar|messages with the same role",
    re.IGNORECASE,
)
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of whom, as far as an error speaks of it."""

    url: str
    model: str = ""
    body: Body | None = None
    names: Callable[[], Sequence[str]] = tuple


def lacks_quota(error: StatusError) -> bool:
    """Return whether it is an account without credit that a server refuses."""
    said = error.server_message.lower()
    return _NO_QUOTA in said or _NO_BALANCE in said


def blames_question(said: str, body: Body | None) -> bool:
    """Return whether a server says that the question is one that it cannot take."""
    field = body.refused(said) if body is not None else None
    causes = (_CONTEXT, _NO_MODEL, _INVALID)
    return bool(field or any(cause.search(said) for cause in causes))


def explained(error: BackendError, asked: Asked) -> BackendError:
    """Return `error` as it is told, or itself if there is nothing better to say."""
    if isinstance(error, GenerationError) and not error.partial:
        advice = _about_request(str(error), asked)
        if advice:
            return GenerationError(f"{error}: {advice}", error_type=error.error_type)
    return told(error, lambda refusal: _message(refusal, asked))


def _message(error: StatusError, asked: Asked) -> str:
    said = error.server_message
    advice = _about_request(said, asked)
    if advice and error.status in (400, 404, 422, 500):
        return f"{said.rstrip('.')}: {advice}"
    if error.status in (400, 404) and asked.model and _NO_MODEL.search(said):
        return _about_model(said, asked)
    kind = "OpenAI-compatible server"
    message = advised(error, _ADVICE, url=asked.url, model=asked.model, kind=kind)
    # What transformers serve says of a model that it does not have.
    if error.status == 500 and asked.model and asked.model not in asked.names():
        message += f" (perhaps it does not have {asked.model!r})"
    return message


def _about_request(said: str, asked: Asked) -> str:
    """Return what to change in the request, if the server's words tell that."""
    field = asked.body.refused(said) if asked.body is not None else None
    if asked.body is not None and field is not None and field in asked.body.origins:
        return f"leave out `{asked.body.origins[field]}`, or give it another value"
    return TOO_LONG if _CONTEXT.search(said) else ""


def _about_model(said: str, asked: Asked) -> str:
    """Return what to do where the server says that it has no such model."""
    names = list(asked.names())
    if asked.model in names:
        return f"{said.rstrip('.')}: the server lists the model, its log may say why"
    hint = f"it says: {said}"
    if names:
        hint = did_you_mean(asked.model, names, most=_MOST_NAMES)
    return f"the server has no model {asked.model!r}: {hint}"
