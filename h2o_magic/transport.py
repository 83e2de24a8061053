"""One server over HTTP: requests, cookies, waits, and every error in our own words.

The only module that imports ``requests``; its callers import it when they first need a
server. A :class:`Transport` talks to one base URL and to nothing else: it follows no
redirect, and gives cookies and the token to nobody but the configured origin.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json as json_text
import time
from collections.abc import Container, Iterator, Mapping
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3.exceptions as below
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import get_cookie_header

from h2o_magic.endpoint import Endpoint, check_base_url, check_header_value
from h2o_magic.error_text import error_text, retry_after
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    ProtocolError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from h2o_magic.reply import Reply
from h2o_magic.timeouts import Timeouts
from h2o_magic.wire import WATCHED_POOLS, Cancellation

__all__ = [
    "Cancellation",
    "Endpoint",
    "Reply",
    "Timeouts",
    "Transport",
    "check_base_url",
    "mapped",
]

_SUCCESS = range(200, 300)
_ERROR_BODY = 65536  # bytes read of an error answer

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
    (TimeoutError, TimedOutError, "no answer in time"),
    (OSError, ConnectionFailedError, "the connection failed"),
    # http.client and ssl raise these on a socket that was closed meanwhile.
    (ValueError, ConnectionFailedError, "the connection was closed"),
    (AttributeError, ConnectionFailedError, "the connection was closed"),
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


def _reason(error: BaseException) -> str:
    """Return the operating system's words for the deepest cause, if it has any."""
    deepest, reason = error, ""
    for _ in range(10):  # a cause may, by mistake, be its own
        words = getattr(deepest, "strerror", None)
        reason = words if isinstance(words, str) else reason
        inner = getattr(deepest, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in deepest.args if isinstance(a, BaseException)), None)
        following = inner or deepest.__cause__ or deepest.__context__
        if following is None:
            break
        deepest = following
    return f" ({reason})" if reason else ""
