"""Every error of the libraries underneath, in our own words and with its cause.

The only place where foreign errors are translated.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

import requests
import urllib3.exceptions as below

from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    ProtocolError,
    TimedOutError,
)

__all__ = ["mapped"]

# Most specific first: the first row that fits names our error and says what happened.
_FAILURES: tuple[tuple[type[Exception], type[H2OMagicError], str], ...] = (
    (requests.ConnectTimeout, TimedOutError, "could not connect in time"),
    (requests.Timeout, TimedOutError, "no answer in time"),
    (requests.exceptions.ProxyError, ConnectionFailedError, "the proxy failed"),
    (requests.exceptions.SSLError, ConnectionFailedError, "no trusted TLS connection"),
    (requests.ConnectionError, ConnectionFailedError, "no connection"),
    (requests.exceptions.ChunkedEncodingError, ConnectionFailedError, "cut off"),
    (requests.exceptions.ContentDecodingError, ProtocolError, "unreadable body"),
    (requests.exceptions.InvalidJSONError, ProtocolError, "unreadable JSON"),
    (requests.TooManyRedirects, ProtocolError, "too many redirects"),
    (requests.exceptions.InvalidProxyURL, ConfigurationError, "bad proxy address"),
    (requests.exceptions.InvalidURL, ConfigurationError, "bad address"),
    (requests.exceptions.MissingSchema, ConfigurationError, "bad address"),
    (requests.exceptions.InvalidSchema, ConfigurationError, "bad address"),
    (requests.exceptions.URLRequired, ConfigurationError, "bad address"),
    (requests.exceptions.InvalidHeader, ConfigurationError, "bad header"),
    (requests.exceptions.RequestException, BackendError, "the request failed"),
    (below.ReadTimeoutError, TimedOutError, "no answer in time"),
    (below.ProtocolError, ConnectionFailedError, "the connection was lost"),
    (below.SSLError, ConnectionFailedError, "the TLS connection was lost"),
    (below.DecodeError, ProtocolError, "unreadable body"),
    (below.LocationValueError, ConfigurationError, "bad address"),
    (below.HTTPError, ConnectionFailedError, "the connection failed"),
    (http.client.HTTPException, ConnectionFailedError, "the connection was lost"),
    (TimeoutError, TimedOutError, "no answer in time"),
    (OSError, ConnectionFailedError, "the connection failed"),
)


@contextlib.contextmanager
def mapped(what: str) -> Iterator[None]:
    """Turn the errors of ``requests`` and ``urllib3`` into ours, keeping the cause.

    Parameters
    ----------
    what
        What was tried, for the message.
    """
    try:
        yield
    except H2OMagicError:
        raise
    except Exception as error:
        for foreign, ours, words in _FAILURES:
            if isinstance(error, foreign):
                raise ours(f"{what}: {words}{_reason(error)}") from error
        raise


# Kinds of OSError whose own words add nothing.
_WORDLESS = (requests.RequestException, TimeoutError)


def _reason(error: BaseException) -> str:
    """Return the words of the deepest cause that the operating system reported."""
    reason = ""
    for _ in range(10):  # a chain of causes could be a ring
        if isinstance(error, http.client.RemoteDisconnected):
            reason = "closed by the server before it answered"
        elif isinstance(error, OSError) and not isinstance(error, _WORDLESS):
            reason = error.strerror or str(error)
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        following = inner or error.__cause__ or error.__context__
        if following is None:
            break
        error = following
    return f": {reason}" if reason else ""
