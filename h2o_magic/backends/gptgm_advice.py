"""What to tell the user to do about a failure of a gpt-gm server.

Pure. Section 1.7 of the protocol notes.
"""

from __future__ import annotations

from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    RateLimitedError,
    StatusError,
)

__all__ = ["explained"]

# Status, words in the server's message (in lower case), advice; the first that fits.
_ADVICE = (
    (401, "", "the server wants a login or another token"),
    (403, "referer", "the server is known by another address; use that one"),
    (404, "conversation not found", "the server keeps losing this chat; ask it later"),
    (404, "", "there is no gpt-gm server at this address; check it and its path"),
    (405, "modal", "the server forgets who asks; it may have lost its cookies' store"),
    (410, "", "the server has no model {model!r} any more; choose another"),
    (413, "", "the question with its history is too long for this server; shorten it"),
    (429, "login", "its limit for guests is reached"),
    (429, "", "ask again in {seconds:.0f} s"),
    (500, "", "perhaps it does not have the model {model!r}; see what it offers"),
    (502, "", "the server behind it is down or starting; ask again in a minute"),
    (503, "", "the server is busy or loads the model; ask again in a minute"),
    (504, "", "the server behind it is too slow or down; ask again in a minute"),
)
_UNREACHABLE = "check that a server runs at this address"
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


def explained(error: BackendError, *, model: str) -> BackendError:
    """Return `error` with what to do about it, or itself if there is nothing to say.

    Parameters
    ----------
    error
        The failure that is reported.
    model
        The model that was asked for.
    """
    if isinstance(error, ConnectionFailedError):
        return ConnectionFailedError(f"{error}: {_UNREACHABLE}", partial=error.partial)
    if not isinstance(error, StatusError):
        return error
    advice = _advice(error, model)
    message = f"{error}: {advice}" if advice else str(error)
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


def _advice(error: StatusError, model: str) -> str:
    seconds = error.retry_after if isinstance(error, RateLimitedError) else None
    said = error.server_message.lower()
    for status, words, advice in _ADVICE:
        if status == error.status and words in said:
            wait = _USUAL_WAIT if seconds is None else seconds
            return advice.format(model=model, seconds=wait)
    return ""
