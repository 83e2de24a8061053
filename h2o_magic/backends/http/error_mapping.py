"""Every error of requests and urllib3 as one of ours, with its cause in words."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TypeVar

import requests.exceptions as requests_errors
import urllib3.exceptions as urllib3_errors

from h2o_magic.backends.http.proxies import (
    Proxy,
    invalid_proxy,
    proxy_failure,
    proxy_of,
)
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    TimedOutError,
)

_Result = TypeVar("_Result")

# The first row that fits names our error and says what happened.
_ERRORS: list[tuple[tuple[type[Exception], ...], type[H2OMagicError], str]] = [
    (
        (requests_errors.Timeout, urllib3_errors.TimeoutError, TimeoutError),
        TimedOutError,
        "no answer {wait}",
    ),
    ((requests_errors.SSLError,), ConnectionFailedError, "the TLS connection failed"),
    ((requests_errors.ConnectionError,), ConnectionFailedError, "no connection"),
    (
        (
            requests_errors.InvalidURL,
            requests_errors.InvalidSchema,
            urllib3_errors.LocationValueError,
        ),
        ConfigurationError,
        "invalid address",
    ),
    ((requests_errors.RequestException,), BackendError, "the request failed"),
    (
        (urllib3_errors.HTTPError, OSError),
        ConnectionFailedError,
        "the connection was lost",
    ),
]
# Why a connection fails, by kind of error, in the words of `ConnectionFailedError`.
_WHYS: dict[type[BaseException], str] = {
    ConnectionRefusedError: "refused",
    socket.gaierror: "unknown host",
}
# What OpenSSL says of a certificate, by its number (X509_V_ERR_...).
_CERTIFICATE_ERRORS = {10: "expired", 62: "other name", 64: "other name"}
# What it says of an answer in plain text.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
# What requests says where REQUESTS_CA_BUNDLE names no file.
_NO_BUNDLE = "TLS CA certificate bundle"


class LibraryError(Exception):
    """What requests or urllib3 said, as text.

    Their own errors hold the request with its headers, and quote what a server sent.
    """


def attempt(
    call: Callable[[], _Result],
    what: str,
    *,
    server: str = "",
    connect: float = 0,
    read: float = 0,
    masked: Callable[[str], str] = str,
) -> _Result:
    """Call, and raise our errors for those of `what`, with the secrets `masked`.

    The timeouts are in seconds, for the message; 0 is not named.
    """
    try:
        return call()
    except (urllib3_errors.HTTPError, OSError) as error:  # requests' are OSErrors
        proxy = proxy_of(server)
        failure = _mapped(error, what, server, connect, read, proxy=proxy)
        failure.args = (masked(str(failure)),)
        if proxy is None:  # else the cause may show the proxy's login
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            failure.__cause__ = LibraryError(masked(f"{name}: {error}"))
    except ValueError:  # PySocks' of an address without its version
        proxy = proxy_of(server)
        if proxy is None or proxy.is_valid:
            raise
        failure = invalid_proxy(proxy)
    # Raised here, it has no foreign error as its context.
    try:
        raise failure
    finally:
        del failure  # it holds this frame: what is in such a ring stays for long


def _mapped(
    error: Exception,
    what: str,
    server: str,
    connect: float,
    read: float,
    *,
    proxy: Proxy | None = None,
) -> H2OMagicError:
    causes = _causes(error)
    reason = _reason(causes)
    if proxy and (failure := proxy_failure(error, server, proxy, reason)):
        return failure
    if server and isinstance(error, requests_errors.ConnectTimeout):
        text = f"cannot connect to {server} {_within(connect)}"
        return TimedOutError(text, connecting=True)
    if server and (why := _why(causes)):
        return ConnectionFailedError(f"cannot connect to {server}{reason}", why=why)
    _, kind, words = next(row for row in _ERRORS if isinstance(error, row[0]))
    return kind(f"{what}: {words.format(wait=_within(read))}{reason}")


def _within(seconds: float) -> str:
    return f"within {round(seconds, 2):g} s" if seconds else "in time"


def _causes(error: BaseException) -> list[BaseException]:
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
    for kind, why in _WHYS.items():
        if any(isinstance(cause, kind) for cause in causes):
            return why
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE_ERRORS.get(cause.verify_code, "certificate")
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return "no TLS"
        if isinstance(cause, OSError) and _NO_BUNDLE in str(cause):
            return "bundle"
    return ""


def _reason(causes: Sequence[BaseException]) -> str:
    reason = ""
    for error in causes:
        if isinstance(error, http.client.RemoteDisconnected):
            reason = "the server closed the connection without an answer"
        elif isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
            reason = f"its certificate is not trusted ({error.verify_message})"
        elif isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            reason = "the server does not use TLS"
        elif isinstance(error, OSError) and not isinstance(
            error, requests_errors.RequestException | TimeoutError
        ):
            reason = error.strerror or str(error)
    return f": {reason}" if reason else ""
