"""Every error of requests and urllib3 as one of ours, with its cause.

The only place where foreign errors are translated.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import requests.exceptions as above
import urllib3.exceptions as below

from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    TimedOutError,
)

# Most specific first: the first row that fits names our error and says what happened.
_FAILURES: list[tuple[type[Exception], type[H2OMagicError], str]] = [
    (above.Timeout, TimedOutError, "no answer {wait}"),
    (below.TimeoutError, TimedOutError, "no answer {wait}"),
    (TimeoutError, TimedOutError, "no answer {wait}"),
    (above.ProxyError, ConnectionFailedError, "the proxy failed"),
    (above.SSLError, ConnectionFailedError, "no trusted TLS connection"),
    (above.ConnectionError, ConnectionFailedError, "no connection"),
    (above.InvalidProxyURL, ConfigurationError, "bad proxy address"),
    (above.InvalidURL, ConfigurationError, "bad address"),
    (above.InvalidSchema, ConfigurationError, "bad address"),
    (below.LocationValueError, ConfigurationError, "bad address"),
    (above.RequestException, BackendError, "the request failed"),
    (below.HTTPError, ConnectionFailedError, "the connection was lost"),
    (OSError, ConnectionFailedError, "the connection failed"),
]
# Why there is no connection, by kind of error.
_WHYS: dict[type[BaseException], str] = {
    above.ProxyError: "proxy",
    ConnectionRefusedError: "refused",
    socket.gaierror: "unknown host",
}
# What OpenSSL says of a certificate, by its number (X509_V_ERR_...).
_OF_CERTIFICATES = {10: "expired", 62: "other name", 64: "other name"}
# What it says of an answer that is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
# What requests says where REQUESTS_CA_BUNDLE names no file.
_NO_BUNDLE = "TLS CA certificate bundle"


@contextmanager
def mapped(
    what: str, *, server: str = "", connect: float = 0, read: float = 0
) -> Iterator[None]:
    """Raise ours instead, of trying `what`; waits are in seconds, 0 if not told.

    `server` is the address that is connected to, empty if there is a connection.
    """
    try:
        yield
    except (below.HTTPError, OSError) as error:  # those of requests are OSErrors
        # No name here may hold an error: errors hold this frame, and what is in such a
        # ring stays open for long.
        raise _ours(error, what, server, connect, read) from error


def _ours(
    error: Exception, what: str, server: str, connect: float, read: float
) -> H2OMagicError:
    if server and isinstance(error, above.ConnectTimeout):
        text = f"no connection to {server} {_within(connect)}"
        return TimedOutError(text, connecting=True)
    causes = _causes(error)
    reason = _reason(causes)
    if server and (why := _why(causes)):
        return ConnectionFailedError(f"no connection to {server}{reason}", why=why)
    _, kind, words = next(row for row in _FAILURES if isinstance(error, row[0]))
    return kind(f"{what}: {words.format(wait=_within(read))}{reason}")


def _within(seconds: float) -> str:
    return f"within {round(seconds, 2):g} s" if seconds else "in time"


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
    for kind, why in _WHYS.items():
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
        elif isinstance(error, OSError) and not isinstance(
            error, above.RequestException | TimeoutError
        ):
            reason = error.strerror or str(error)
    return f": {reason}" if reason else ""
