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

#: Status, words in the server's message (in lower case), advice. No advice means that
#: the server's words say it all. Names in braces are filled in.
Row = tuple[int, str, str]

KEY = "the server wants a key, or another one: `%h2o connect {url} --key-env VAR`"
TOO_LONG = (
    "the question with its history is too long for the model: shorten it, or send "
    "fewer earlier turns"
)
_LATE = "ask again, or look whether the server is busy"
ADDRESS = "there is no {kind} at {url}; check it and its path"
_UNREACHABLE = "check that a server runs at this address"
_FAR = (
    "check that a server runs there, that the address is right, and whether a VPN is "
    "needed"
)

#: What to do where there is no connection, by the words of `ConnectionFailedError`.
_REMEDIES = {
    "refused": (
        "check that a server runs there, and its port (`%h2o connect --scan` looks on "
        "this machine)"
    ),
    "unknown host": "check how the host is spelled, and that this machine is online",
    "certificate": (
        "if you trust that server, name the file with its certificate, or its "
        "authority's: `%env REQUESTS_CA_BUNDLE=/path/to/ca.pem`"
    ),
    "expired": "who runs the server must renew it",
    "other name": "use the name that the certificate is for",
    "no TLS": "write http:// if the server has none",
    "bundle": "let REQUESTS_CA_BUNDLE name a file that is there",
    "proxy": (
        "check the proxy that the environment names (HTTP_PROXY, HTTPS_PROXY), or "
        "except the host from it with NO_PROXY"
    ),
}

_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTED = (
    "expected an answer: connect to where it leads, if you trust that, or give the key "
    "that the server wants (`%h2o connect {url} --key-env VAR`)"
)
_ODD = "expected an answer with status 200: check that the {kind} itself is at {url}"
_REFUSED = "expected an answer: check that the {kind} is at {url}"
_BROKEN = "the server failed; its log may say why"

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
    """Return the message of a refusal with the first advice that fits."""
    said = error.server_message
    wait = error.retry_after if isinstance(error, RateLimitedError) else None
    wait = usual_wait if wait is None else wait
    later = "later" if wait is None else f"in {wait:.0f} s"
    for status, words, advice in rows:
        if status == error.status and words in said.lower() and (said or advice):
            hint = advice.format(later=later, **facts)
            start = said.rstrip(".") if hint else said
            return ": ".join(filter(None, [start or str(error), hint]))
    hint = _of_any(error.status, said).format(**facts)
    return f"{error}: {hint}" if hint else str(error)


def _of_any(status: int, said: str) -> str:
    """Return what to do about a status of which nothing more is known."""
    if status in _REDIRECTS:
        return _REDIRECTED
    if status < 400:
        return _ODD
    if said:
        return ""  # the server's own words are better
    return _REFUSED if status < 500 else _BROKEN


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
        remedy = _REMEDIES.get(error.why, _UNREACHABLE)
        return ConnectionFailedError(
            f"{error}: {remedy}", why=error.why, partial=error.partial
        )
    if isinstance(error, TimedOutError):
        remedy = _FAR if error.connecting else _LATE
        return TimedOutError(
            f"{error}: {remedy}", connecting=error.connecting, partial=error.partial
        )
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
