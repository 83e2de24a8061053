"""How a failure of an OpenAI-compatible server is told to the user, and what to do.

Pure. What the failures of seven servers look like is in tests/recordings/openai. Where
the meaning is known, the server's words begin the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from h2o_magic.backends.openai.request import Body
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from h2o_magic.nearest import did_you_mean

__all__ = ["Asked", "explained"]

_UNREACHABLE = "check that a server runs at this address"
_LATE = "ask again, or look whether the server is busy"
_KEY = "the server wants a key, or another one: `%h2o connect {url} --key-env VAR`"
_TOO_LONG = (
    "the question with its history is too long for the model: shorten it, or send "
    "fewer earlier turns"
)
_ADDRESS = "there is no OpenAI-compatible server at this address; check it and its path"
_LOG = "the server failed; its log may say why"

# Status, words in the server's message (in lower case), advice; the first that fits.
_ADVICE = (
    (400, "no connected db", _KEY),  # LiteLLM without a database, for a wrong key
    (401, "", _KEY),
    (403, "", _KEY),
    (404, "", _ADDRESS),
    (405, "", _ADDRESS),
    (413, "", _TOO_LONG),
    (429, "", "ask again {later}"),
    (500, "", _LOG),
    (502, "", "the server behind it is down or starting; ask again in a minute"),
    (503, "", "the server is busy or loads the model; ask again in a minute"),
    (504, "", "the server behind it is too slow or down; ask again later"),
)
_REFUSED = frozenset({400, 422})
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
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of whom, as far as an error speaks of it.

    Attributes
    ----------
    url : str
        The server's address.
    model : str
        The model that was asked for.
    body : Body or None
        What was sent last.
    names : callable
        Returns the names of the server's models, or none; only called by need.
    """

    url: str
    model: str = ""
    body: Body | None = None
    names: Callable[[], Sequence[str]] = tuple


def explained(error: BackendError, asked: Asked) -> BackendError:
    """Return `error` as it is told, or itself if there is nothing better to say.

    Parameters
    ----------
    error
        The failure that is reported.
    asked
        What was asked.
    """
    if isinstance(error, ConnectionFailedError):
        return ConnectionFailedError(f"{error}: {_UNREACHABLE}", partial=error.partial)
    if isinstance(error, TimedOutError):
        return TimedOutError(f"{error}: {_LATE}", partial=error.partial)
    if isinstance(error, StatusError):
        return _with_message(error, _message(error, asked))
    if isinstance(error, GenerationError) and not error.partial:
        advice = _about_request(str(error), asked)
        if advice:
            return GenerationError(f"{error}: {advice}", error_type=error.error_type)
    return error


def _message(error: StatusError, asked: Asked) -> str:
    said = error.server_message
    advice = _about_request(said, asked)
    if advice and error.status in (400, 404, 422, 500):
        return f"{said.rstrip('.')}: {advice}"
    if error.status in (400, 404) and asked.model and _NO_MODEL.search(said):
        return _about_model(said, asked)
    for status, words, meaning in _ADVICE:
        if status == error.status and words in said.lower():
            told = meaning.format(url=asked.url, model=asked.model, later=_later(error))
            if error.status == 500 and asked.model:  # transformers serve
                told += f" (perhaps it does not have {asked.model!r})"
            return f"{said.rstrip('.') or error}: {told}"
    return str(error) if error.status not in _REFUSED or not said else said


def _about_request(said: str, asked: Asked) -> str:
    """Return what to change in the request, if the server's words tell that."""
    field = asked.body.refused(said) if asked.body is not None else None
    if asked.body is not None and field in asked.body.chosen:
        return f"leave out `{asked.body.origins[field]}`, or give it another value"
    return _TOO_LONG if _CONTEXT.search(said) else ""


def _about_model(said: str, asked: Asked) -> str:
    """Return what to do where the server says that it has no such model."""
    names = list(asked.names())
    if asked.model in names:
        return f"{said.rstrip('.')}: the server lists the model, its log may say why"
    hint = did_you_mean(asked.model, names) if names else f"it says: {said}"
    if len(names) > _MOST_NAMES and hint.startswith("known"):
        hint = f"it offers {len(names)} others"
    return f"the server has no model {asked.model!r}: {hint}"


def _later(error: StatusError) -> str:
    wait = error.retry_after if isinstance(error, RateLimitedError) else None
    return "later" if wait is None else f"in {wait:.0f} s"


def _with_message(error: StatusError, message: str) -> StatusError:
    if isinstance(error, RateLimitedError):
        return RateLimitedError(
            message,
            status=error.status,
            server_message=error.server_message,
            retry_after=error.retry_after,
        )
    return StatusError(
        message,
        status=error.status,
        server_message=error.server_message,
        partial=error.partial,
    )
