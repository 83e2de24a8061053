"""How a failure of a gpt-gm server is told to the user, and what to do about it.

Pure. What the failures of chat-ui of June 2023 and text-generation-inference 0.9 look
like is in tests/recordings. Where the meaning is known, the server's words begin the
message; else the request and the status stay in it.
"""

from __future__ import annotations

from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)

__all__ = ["explained"]

# Status, words in the server's message (in lower case), advice; the first that fits.
# No advice means that the server's words say it all.
_ADVICE = (
    (401, "", "the server wants a login or another token"),
    (403, "referer", "the server is known by another address; use that one"),
    (404, "conversation not found", "the server keeps losing this chat; ask it later"),
    (404, "", "there is no gpt-gm server at this address; check it and its path"),
    (405, "modal", "the server forgets who asks; it may have lost its cookies' store"),
    (410, "", "the server has no model {model!r} any more; choose another"),
    (413, "", "the question with its history is too long for this server; shorten it"),
    (422, "", ""),
    (424, "", ""),
    (429, "login", "its limit for guests is reached"),
    (429, "", "ask again in {seconds:.0f} s"),
    (502, "", "the server behind it is down or starting; ask again in a minute"),
    (503, "", "the server is busy or loads the model; ask again in a minute"),
    (504, "", "the server behind it is too slow or down; ask again in a minute"),
)
# What chat-ui says about a model that it does not know, and about much else.
_NO_WORDS = (500, "Internal Error")
_GUESS = "perhaps it does not have the model {model!r}; see what it offers"
_UNREACHABLE = "check that a server runs at this address"
_LATE = "ask again, or look whether the server is busy"
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


def explained(error: BackendError, *, model: str, naming: bool = False) -> BackendError:
    """Return `error` as it is told, or itself if there is nothing better to say.

    Parameters
    ----------
    error
        The failure that is reported.
    model
        The model that was asked for.
    naming
        True if the request that failed was one that names the model to the server.
    """
    if isinstance(error, ConnectionFailedError):
        return ConnectionFailedError(f"{error}: {_UNREACHABLE}", partial=error.partial)
    if isinstance(error, TimedOutError):
        return TimedOutError(f"{error}: {_LATE}", partial=error.partial)
    if isinstance(error, StatusError):
        return _with_message(error, _message(error, model, naming))
    return error


def _message(error: StatusError, model: str, naming: bool) -> str:
    said = error.server_message
    if naming and (error.status, said) == _NO_WORDS:
        return f"{error}: {_GUESS.format(model=model)}"
    for status, words, advice in _ADVICE:
        if status == error.status and words in said.lower():
            told = advice.format(model=model, seconds=_wait(error))
            start = said.rstrip(".") if told else said
            return ": ".join(filter(None, [start or str(error), told]))
    return str(error)


def _wait(error: StatusError) -> float:
    asked = error.retry_after if isinstance(error, RateLimitedError) else None
    return _USUAL_WAIT if asked is None else asked


def _with_message(error: StatusError, message: str) -> StatusError:
    if message == str(error):
        return error
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
