"""The way to any server, by ``requests``: with TLS, and with the environment's proxies.

The only module, with :mod:`.wire`, that imports ``requests`` and ``urllib3``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions as below
from requests.adapters import HTTPAdapter
from requests.cookies import (
    create_cookie,
    extract_cookies_to_jar,
    get_cookie_header,
)

from h2o_magic.endpoint import is_loopback
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    TimedOutError,
)
from h2o_magic.transport.cookies import any_scheme, domain_of
from h2o_magic.transport.failures import Row, know
from h2o_magic.transport.ways import Answered
from h2o_magic.transport.wire import WATCHED_POOLS

__all__ = ["RequestsWay"]

_ROWS: tuple[Row, ...] = (
    (requests.ConnectTimeout, TimedOutError, "could not connect {wait}"),
    (requests.Timeout, TimedOutError, "no answer {wait}"),
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
    (below.ReadTimeoutError, TimedOutError, "no answer {wait}"),
    (below.ProtocolError, ConnectionFailedError, "the connection was lost"),
    (below.SSLError, ConnectionFailedError, "the TLS connection was lost"),
    (below.DecodeError, ProtocolError, "unreadable body"),
    (below.LocationValueError, ConfigurationError, "bad address"),
    (below.HTTPError, ConnectionFailedError, "the connection failed"),
)

know(
    _ROWS,
    connect_timeout=requests.ConnectTimeout,
    proxy=requests.exceptions.ProxyError,
    base=requests.RequestException,
)


class RequestsWay:
    """A session of ``requests`` whose connections can be watched.

    Parameters
    ----------
    url
        The server's base URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._session = requests.Session()
        self._session.auth = _as_it_is
        self._session.cookies.set_policy(any_scheme())
        self._adapter = _Adapter()

    def send(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str],
        *,
        connect: float,
        first_byte: float,
    ) -> Answered:
        """Send a request as the environment wants it."""
        request = self._prepare(method, path, data, headers)
        response = self._adapter.send(
            request, timeout=(connect, first_byte), **self._environment(request)
        )
        extract_cookies_to_jar(  # type: ignore[no-untyped-call]
            self._session.cookies, request, response.raw
        )
        body = _Body(response.raw)
        return Answered(body, response.status_code, response.headers, request.headers)

    def keep_cookie(self, name: str, value: str) -> None:
        """Send a cookie until the server replaces it."""
        cookie = create_cookie(name, value, domain=domain_of(self._url))  # type: ignore[no-untyped-call]
        self._session.cookies.set_cookie(cookie)

    def close(self) -> None:
        """Close the idle connections; the cookies stay."""
        self._adapter.close()

    def _prepare(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        request = self._session.prepare_request(
            requests.Request(method, self._url + path, headers=headers, data=data)
        )
        # The session makes this header by the usual policy; the jar knows better.
        request.headers.pop("Cookie", None)
        cookie = get_cookie_header(  # type: ignore[no-untyped-call]
            self._session.cookies, request
        )
        if cookie is not None:
            request.headers["Cookie"] = cookie
        return request

    def _environment(self, request: requests.PreparedRequest) -> dict[str, Any]:
        """Return the proxies and certificates that the environment asks for."""
        direct = {"no_proxy": self._host} if is_loopback(self._host) else {}
        settings = self._session.merge_environment_settings(
            request.url, direct, True, None, None
        )
        return dict(settings)


class _Adapter(HTTPAdapter):
    """The adapter of ``requests``, with connections that can be watched."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = WATCHED_POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = WATCHED_POOLS
        return manager


class _Body:
    """The body of urllib3's response, as it was sent."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.close = raw.close

    def read1(self, amt: int, /) -> bytes:
        data: bytes = self._raw.read1(amt, decode_content=False)
        return data


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing; without any ``auth``, ``requests`` would look into ~/.netrc."""
    return request
