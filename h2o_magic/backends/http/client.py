"""Requests to one server, and to nothing else: no redirect is followed."""

from __future__ import annotations

import json
import time
from collections.abc import Container, Mapping
from functools import cache, partial
from http.cookiejar import Cookie, DefaultCookiePolicy
from importlib.metadata import version
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import requests

from h2o_magic.backends.http.connections import CancellableAdapter, Cancellation
from h2o_magic.backends.http.error_mapping import attempt
from h2o_magic.backends.http.response import (
    DEFAULT_TIMEOUTS,
    Response,
    Timeouts,
    status_error,
)
from h2o_magic.backends.secrets import Secrets
from h2o_magic.config.url import Endpoint, is_loopback
from h2o_magic.errors import ConnectionFailedError


class HttpClient:
    """One base URL, one cookie jar, one pool of connections; for several threads."""

    def __init__(
        self, endpoint: Endpoint, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self.url = endpoint.url
        parts = urlsplit(endpoint.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path
        self._timeouts = timeouts
        self._session = _Session()
        token = endpoint.token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session.headers.update(headers)
        self._masked = Secrets(headers).masked
        host = parts.hostname or ""
        # Beside the proxies of the environment, which requests adds.
        self._proxies = {"no_proxy": host} if is_loopback(host) else {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def send(
        self,
        method: str,
        path: str,
        *,
        document: object = None,
        form: Mapping[str, str] | None = None,
        accept: str = "application/json",
        accepted: Container[int] = range(200, 300),
        timeouts: Timeouts | None = None,
        cancellation: Cancellation | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Response:
        """Send a request and return the response, whose body is still to be read.

        A connection that the server closed while it was idle shows only when it is
        used. Such a request is sent once more. A status that is not `accepted`, or a
        redirect, raises a StatusError.
        """
        what = f"{method} {self.url}{path}"
        timeouts = timeouts or self._timeouts
        cancellation = cancellation or Cancellation()
        deadline = time.monotonic() + timeouts.overall
        body, content_type = _encoded(document, form)

        connect, read = timeouts.connect, timeouts.first_byte

        def send() -> requests.Response:
            with cancellation.watch_requests():
                return self._session.request(
                    method,
                    self.url + path,
                    data=body,
                    headers={**content_type, **self._headers(accept), **headers},
                    timeout=(connect, read),
                    proxies=dict(self._proxies),
                    stream=True,
                    allow_redirects=False,
                )

        request = partial(
            attempt,
            send,
            what,
            server=self.url,
            connect=connect,
            read=read,
            masked=self._masked,
        )
        try:
            answer = request()
        except ConnectionFailedError as error:
            if cancellation.cancelled:
                raise ConnectionFailedError(f"{what}: cancelled") from error
            if not cancellation.reused:
                raise
            answer = request()
        response = Response(
            answer,
            what=what,
            timeouts=timeouts,
            deadline=deadline,
            cancellation=cancellation,
        )
        if response.status not in accepted:
            with response:
                raise status_error(response, what)
        return response

    def close(self) -> None:
        """Close the idle connections. The cookies stay, and it can be used again."""
        self._session.close()

    def _headers(self, accept: str) -> dict[str, str]:
        return {
            "User-Agent": _user_agent(),
            "Origin": self.origin,
            "Referer": f"{self.origin}{self._path}/",
            "Accept": accept,
            "Accept-Encoding": "identity",
        }


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.auth = _unchanged
        self.cookies.set_policy(_AnyScheme())
        for scheme in ("http://", "https://"):
            self.mount(scheme, CancellableAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Ignore redirects: requests would read the body, however long it is."""


class _AnyScheme(DefaultCookiePolicy):
    """Sends a "Secure" cookie back over plain http, too: servers behind it set such."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        cookie.secure = False
        return super().set_ok(cookie, request)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing; without any ``auth``, requests would look into ~/.netrc."""
    return request


def _encoded(
    document: object, form: Mapping[str, str] | None
) -> tuple[Any, dict[str, str]]:
    if document is None:
        return form, {}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    # Half a surrogate pair cannot be encoded.
    return text.encode("utf-8", "replace"), {"Content-Type": "application/json"}


@cache
def _user_agent() -> str:
    return f"h2o-magic/{version('h2o-magic')}"
