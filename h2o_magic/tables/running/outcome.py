"""What comes of asking a row: an answer, or a failure and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from h2o_magic.backends.error_advice import is_final
from h2o_magic.backends.retry import BUSY_STATUSES, requested_wait
from h2o_magic.chat.events import RateLimit
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    H2OMagicError,
    IncompleteAnswerError,
    ParameterError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from h2o_magic.rendering.json import AnswerFormatError

#: What a failure is about: the row itself; a server that takes no more now, or cannot
#: be reached; or what all rows will meet, such as a wrong key or an unknown model.
FailureKind: TypeAlias = Literal["row", "busy", "lost", "run"]
#: Statuses by which a server refuses whoever asks, or what everybody asks for. 403 is
#: none: it is also said of a text that a filter flagged.
_OF_THE_RUN = frozenset({401, 402, 404, 405, 410})
#: Why no connection to a server can be made, whoever asks.
_SETUP = frozenset({"certificate", "expired", "other name", "no TLS", "bundle"})
#: Why there is no server now, and seconds until it is looked for again.
_GONE, _AGAIN = frozenset({"refused", "unknown host", "proxy"}), 1.0
#: Of an error within an answer: the server's own trouble, not the row's.
_SERVERS_OWN = frozenset({"internal_error", "overloaded", "overloaded_error"})
_SERVERS_OWN |= {"server_error", *map(str, BUSY_STATUSES)}


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """An answer that counts: it is complete, and fits the schema if there is one.

    Attributes
    ----------
    text : str
        The answer; with a schema, its JSON.
    prompt_tokens, completion_tokens : int or None
        As the server counted; both questions' where the answer was repaired.
    seconds, first_token : float
        From the question to the end, and to the first text; the latter may be None.
    model : str
        What answered, by the server's name; empty if it did not say.
    repaired : str
        The first answer, which did not fit the schema; empty if that one counts.
    """

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    first_token: float | None = None
    model: str = ""
    repaired: str = ""


@dataclass(frozen=True, slots=True)
class RowFailure:
    """Why a row has no answer.

    `wait` is for how many seconds a busy server asks; of a lost row, it says that the
    server cannot be reached now.
    """

    message: str
    kind: FailureKind = "row"
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking a row; `requests` is how many were sent for that.

    `ticket` is the number under which the row was given to be asked. `limit` is what
    the server said about its limits. The tokens are those of all its requests, also of
    ones that failed; None where the server did not say.
    """

    ticket: int
    result: RowAnswer | RowFailure
    requests: int = 1
    limit: RateLimit | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class CutOffError(AnswerFormatError):
    """The answer reached the token limit, so that its end is missing."""

    def __init__(self) -> None:
        super().__init__(
            "the answer was cut off at the token limit: allow more with "
            "--max-new-tokens"
        )


class EmptyAnswerError(AnswerFormatError):
    """There is nothing in an answer that may say anything."""

    def __init__(self) -> None:
        super().__init__("the answer is empty")


def failure_of(error: Exception) -> RowFailure:
    """Return what an error means: for this row, for now, or for all rows."""
    if isinstance(error, CutOffError | EmptyAnswerError):
        return RowFailure(str(error))
    if isinstance(error, AnswerFormatError):
        return RowFailure(f"the answer does not fit the schema: {error}")
    if not isinstance(error, H2OMagicError):
        return RowFailure(f"{type(error).__name__}: {error}")
    wait = requested_wait(error) if isinstance(error, BackendError) else None
    if isinstance(error, ConnectionFailedError) and error.why in _GONE:
        wait = _AGAIN
    return RowFailure(str(error), _kind(error), wait)


def _kind(error: H2OMagicError) -> FailureKind:
    match error:
        case ParameterError():
            return "run"
        case ConnectionFailedError(why=why) if why in _SETUP:
            return "run"
        case ConnectionFailedError() | TimedOutError() | IncompleteAnswerError():
            return "lost"
        case GenerationError(error_type=kind) if kind in _SERVERS_OWN:
            return "lost"
        case StatusError():
            return _kind_of_status(error)
    return "row"


def _kind_of_status(error: StatusError) -> FailureKind:
    if error.status in _OF_THE_RUN or is_final(error.server_message):
        return "run"
    if isinstance(error, RateLimitedError) or error.status in BUSY_STATUSES:
        return "busy"
    return "row"
