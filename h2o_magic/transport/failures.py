"""Every error of the libraries underneath, in our own words and with its cause.

The only place where foreign errors are translated.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    H2OMagicError,
    TimedOutError,
)

__all__ = ["ConnectTimeoutError", "Row", "know", "mapped"]

#: An error underneath, ours that it becomes, and what happened, in words.
Row: TypeAlias = tuple[type[Exception], type[H2OMagicError], str]


class ConnectTimeoutError(TimeoutError):
    """Connecting took too long, where Python itself does not tell that apart."""


# Most specific first: the first row that fits names our error and says what happened.
_FAILURES: list[Row] = [
    (http.client.HTTPException, ConnectionFailedError, "the connection was lost"),
    (TimeoutError, TimedOutError, "no answer {wait}"),
    (OSError, ConnectionFailedError, "the connection failed"),
]


# Why there is no connection, by the operating system's own kinds of error.
_WHYS: list[tuple[type[BaseException], str]] = [
    (ConnectionRefusedError, "refused"),
    (socket.gaierror, "unknown host"),
]
_CONNECT_TIMEOUTS: list[type[Exception]] = [ConnectTimeoutError]
# Kinds of OSError whose own words add nothing.
_WORDLESS: list[type[Exception]] = [TimeoutError]
# What OpenSSL says of a certificate, by its number (X509_V_ERR_...).
_OF_CERTIFICATES = {10: "expired", 62: "other name", 64: "other name"}
# What it says of an answer that is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
# What requests says where REQUESTS_CA_BUNDLE names no file.
_NO_BUNDLE = "TLS CA certificate bundle"


def know(
    rows: Sequence[Row],
    *,
    connect_timeout: type[Exception],
    proxy: type[Exception],
    base: type[Exception],
) -> None:
    """Translate the errors of a library, too; its way calls this when it is imported.

    Parameters
    ----------
    rows
        Its errors, the most specific first; they go before Python's own.
    connect_timeout, proxy, base
        Those of connecting too long, of a proxy, and of all that are also ``OSError``.
    """
    _FAILURES[:0] = rows
    _WHYS.insert(0, (proxy, "proxy"))
    _CONNECT_TIMEOUTS.append(connect_timeout)
    _WORDLESS.append(base)


@contextlib.contextmanager
def mapped(
    what: str, *, server: str = "", connect: float = 0, read: float = 0
) -> Iterator[None]:
    """Turn the errors of what is underneath into ours, keeping the cause.

    Parameters
    ----------
    what
        What was tried, for the message.
    server
        The address that is connected to; empty if there is a connection already.
    connect, read
        Seconds that are waited for the connection, and for the answer; 0 if that is
        not told.
    """
    try:
        yield
    except H2OMagicError:
        raise
    except tuple(foreign for foreign, _, _ in _FAILURES) as error:
        # No name here may hold an error: errors hold this frame, and what is in such a
        # ring stays open for long.
        raise (
            (_without_connection(error, server, connect) if server else None)
            or _ours(error, what, read)
        ) from error


def _without_connection(
    error: Exception, server: str, connect: float
) -> BackendError | None:
    """Return what to raise if there is no connection, and it is known why."""
    if isinstance(error, tuple(_CONNECT_TIMEOUTS)):
        text = f"no connection to {server} {_within(connect)}"
        return TimedOutError(text, connecting=True)
    causes = _causes(error)
    if why := _why(causes):
        text = f"no connection to {server}{_reason(causes)}"
        return ConnectionFailedError(text, why=why)
    return None


def _ours(error: Exception, what: str, read: float) -> H2OMagicError:
    _, kind, words = next(row for row in _FAILURES if isinstance(error, row[0]))
    text = words.format(wait=_within(read))
    return kind(f"{what}: {text}{_reason(_causes(error))}")


def _within(seconds: float) -> str:
    if not seconds:
        return "in time"
    return f"within {seconds:.0f} s" if seconds >= 10 else f"within {seconds:.2g} s"


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error, its cause, the cause of that, and so on."""
    causes = [error]
    while len(causes) < 10:  # they could be a ring
        error = causes[-1]
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        following = inner or error.__cause__ or error.__context__
        if following is None:
            break
        causes.append(following)
    return causes


def _why(causes: Sequence[BaseException]) -> str:
    """Return why there is no connection, in a word of `ConnectionFailedError`."""
    for kind, why in _WHYS:
        if any(isinstance(cause, kind) for cause in causes):
            return why
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _OF_CERTIFICATES.get(cause.verify_code, "certificate")
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return "no TLS"
        if isinstance(cause, OSError) and _NO_BUNDLE in str(cause):
            return "bundle"
    return ""


def _reason(causes: Sequence[BaseException]) -> str:
    """Return the words of the deepest cause that the operating system reported."""
    reason = ""
    for error in causes:
        if isinstance(error, http.client.RemoteDisconnected):
            reason = "closed by the server before it answered"
        elif isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
            reason = f"its certificate is not trusted ({error.verify_message})"
        elif isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            reason = "what answers there is no TLS"
        elif isinstance(error, OSError) and not isinstance(error, tuple(_WORDLESS)):
            reason = error.strerror or str(error)
    return f": {reason}" if reason else ""
