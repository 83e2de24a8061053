"""How the failure of any server is told to the user: what all dialects say alike.

Pure. Where the meaning is known, the server's words begin the message; else the
request and the status stay in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)

__all__ = [
    "ADDRESS",
    "COMMON",
    "KEY",
    "LATE",
    "TOO_LONG",
    "Row",
    "advised",
    "telling",
    "told",
]

#: Status, words in the server's message (in lower case), advice. No advice means that
#: the server's words say it all. Names in braces are filled in.
Row = tuple[int, str, str]

KEY = "the server wants a key, or another one: `%h2o connect {url} --key-env VAR`"
TOO_LONG = (
    "the question with its history is too long for the model: shorten it, or send "
    "fewer earlier turns"
)
LATE = "ask again, or look whether the server is busy"
ADDRESS = "there is no {kind} at this address; check it and its path"
_UNREACHABLE = "check that a server runs at this address"

#: What holds for every server, after what is known of its kind.
COMMON: tuple[Row, ...] = (
    (401, "", KEY),
    (403, "", KEY),
    (404, "", ADDRESS),
    (410, "", "the server has no model {model!r} any more; choose another"),
    (413, "", TOO_LONG),
    (429, "login", "its limit for guests is reached"),
    (429, "", "ask again {later}"),
    (502, "", "the server behind it is down or starting; ask again in a minute"),
    (503, "", "the server is busy or loads the model; ask again in a minute"),
    (504, "", "the server behind it is too slow or down; ask again in a minute"),
)


def advised(
    error: StatusError,
    rows: Iterable[Row],
    *,
    usual_wait: float | None = None,
    **facts: str,
) -> str:
    """Return the message of a refusal with the first advice that fits.

    Parameters
    ----------
    error
        The refusal.
    rows
        What is known; the first that fits counts.
    usual_wait
        Seconds after which such a server takes questions again, if it does not say.
    **facts
        What the advice names: ``url``, ``model``, ``kind`` and others.
    """
    said = error.server_message
    wait = error.retry_after if isinstance(error, RateLimitedError) else None
    wait = usual_wait if wait is None else wait
    later = "later" if wait is None else f"in {wait:.0f} s"
    for status, words, advice in rows:
        if status == error.status and words in said.lower():
            hint = advice.format(later=later, **facts)
            start = said.rstrip(".") if hint else said
            return ": ".join(filter(None, [start or str(error), hint]))
    return str(error)


def told(error: BackendError, refusal: Callable[[StatusError], str]) -> BackendError:
    """Return `error` as it is told, or itself if there is nothing better to say.

    Its kind, and all that it carries, stay as they are.

    Parameters
    ----------
    error
        The failure that is reported.
    refusal
        Returns the message of an HTTP status.
    """
    if isinstance(error, ConnectionFailedError):
        return ConnectionFailedError(f"{error}: {_UNREACHABLE}", partial=error.partial)
    if isinstance(error, TimedOutError):
        return TimedOutError(f"{error}: {LATE}", partial=error.partial)
    if isinstance(error, StatusError):
        message = refusal(error)
        return error if message == str(error) else _with_message(error, message)
    return error


@contextmanager
def telling(tell: Callable[[BackendError], BackendError]) -> Iterator[None]:
    """Raise the failures of this block as `tell` returns them.

    Parameters
    ----------
    tell
        Returns the error to raise, or its argument.
    """
    try:
        yield
    except BackendError as error:
        better = tell(error)
        if better is error:
            raise
        raise better from error


def _with_message(error: StatusError, message: str) -> StatusError:
    if isinstance(error, RateLimitedError):
        same: StatusError = RateLimitedError(
            message,
            status=error.status,
            server_message=error.server_message,
            retry_after=error.retry_after,
        )
    else:
        same = StatusError(
            message, status=error.status, server_message=error.server_message
        )
    same.partial = error.partial
    return same
