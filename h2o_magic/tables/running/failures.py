"""What the failure of a row means for it, and for the run."""

from __future__ import annotations

from h2o_magic.backends.error_advice import is_final
from h2o_magic.backends.retry import BUSY_STATUSES, requested_wait
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
from h2o_magic.tables.running.outcome import FailureKind, RowFailure

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
