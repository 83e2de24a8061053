"""How a refusal of a chat-ui server is told to the user, and what to do about it.

What the refusals look like is in tests/recordings/chat-ui. Where the meaning is known,
the server's words begin the message; else the request and the status stay in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)

__all__ = ["telling"]

_LOGIN = (
    "the server wants a login: log in with a browser, and give the cookie of that "
    "session as the token, in the form name=value (hf-chat=...)"
)
_OTHER_LOGIN = (
    "the server does not take this token as a login, or no longer: log in with a "
    "browser, and give the cookie of that session, in the form name=value (hf-chat=...)"
)
_NOT_HERE = "there is no chat-ui at this address; check it and its path"
_MOVED = "the server is at another address; use that one"
_REDIRECTS = (301, 302, 303, 307, 308)
# A redirect to the path that was asked for is one to https, or to another host.
_SAME_PATH = "/conversation',"

# Status, words in the server's message (in lower case), advice; the first that fits.
# No advice means that the server's words say it all.
_ADVICE = (
    (400, "too long", "shorten the question, or what is sent with it"),
    (401, "", "{login}"),
    (403, "referer", "the server is known by another address; use that one"),
    (403, "origin", "the server is known by another address; use that one"),
    (404, "not found", "the server keeps losing this chat; ask it later"),
    (405, "modal", "a chat-ui of 2023; it speaks the gpt-gm protocol, so use that"),
    (410, "", "the server has no model {model!r} any more; choose another"),
    (413, "", "the question with its history is too long for this server; shorten it"),
    (429, "number of conversations", "see them on the server's page"),
    (429, "login", "its limit for guests is reached"),
    (429, "start a new", ""),
    (429, "", "ask again in {seconds:.0f} s, not before: refused tries count too"),
    (502, "", "the server behind it is down or starting; ask again in a minute"),
    (503, "", "the server is busy or starting; ask again in a minute"),
    (504, "", "the server behind it is too slow or down; ask again in a minute"),
)
_NAMING = "perhaps the server does not have the model {model!r}; see what it offers"
_UNREACHABLE = "check that a server runs at this address"
_LATE = "ask again, or look whether the server is busy"
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


@contextmanager
def telling(*, known: bool, model: str = "", naming: bool = False) -> Iterator[None]:
    """Tell the failures of this block with what to do about them.

    Their kind, status and the server's words stay as they are.

    Parameters
    ----------
    known
        True if the user has given a token or a cookie.
    model
        The model that was asked for.
    naming
        True if the request is one that names the model to the server.
    """
    try:
        yield
    except ConnectionFailedError as error:
        raise ConnectionFailedError(f"{error}: {_UNREACHABLE}") from error
    except TimedOutError as error:
        raise TimedOutError(f"{error}: {_LATE}") from error
    except StatusError as error:
        raise _told(error, _message(error, known, model, naming)) from error


def _message(error: StatusError, known: bool, model: str, naming: bool) -> str:
    said, login = error.server_message, _OTHER_LOGIN if known else _LOGIN
    if error.status in _REDIRECTS:
        moved = error.status in (301, 308) or _SAME_PATH in str(error)
        return f"{error}: {_MOVED if moved else login}"
    if error.status == 400 and naming:
        return f"{said or error}: {_NAMING.format(model=model)}"
    if error.status == 404 and not _is_about_chats(said):
        return f"{error}: {_NOT_HERE}"
    for status, words, advice in _ADVICE:
        if status == error.status and words in said.lower():
            told = advice.format(model=model, seconds=_wait(error), login=login)
            start = said.rstrip(".") if told else said
            return ": ".join(filter(None, [start or str(error), told]))
    return str(error)


def _is_about_chats(said: str) -> bool:
    return said.lower() in ("conversation not found", "message not found")


def _wait(error: StatusError) -> float:
    asked = error.retry_after if isinstance(error, RateLimitedError) else None
    return _USUAL_WAIT if asked is None else asked


def _told(error: StatusError, message: str) -> BackendError:
    if isinstance(error, RateLimitedError):
        return RateLimitedError(
            message,
            status=error.status,
            server_message=error.server_message,
            retry_after=error.retry_after,
        )
    return StatusError(
        message, status=error.status, server_message=error.server_message
    )
