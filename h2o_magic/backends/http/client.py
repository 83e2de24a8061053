"""Requests to one server, and to nothing else: no redirect is followed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping
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
from h2o_magic.backends.http.proxies import proxy_of, proxy_refusal
from h2o_magic.backends.http.response import (
    DEFAULT_TIMEOUTS,
    Response,
    Timeouts,
    status_error,
)
from h2o_magic.backends.secrets import Secrets
from h2o_magic.config.url import Endpoint, is_this_machine
from h2o_magic.errors import ConnectionFailedError

#: As many as requests keeps by itself.
DEFAULT_CONNECTIONS = 10
#: Seconds for which the proxies and certificates of the environment are remembered.
_FRESH = 1.0


class HttpClient:
    """One base URL, one cookie jar, one pool of connections; for several threads.

    More `connections` than the pool keeps are closed after their request.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        connections: int = DEFAULT_CONNECTIONS,
    ) -> None:
        self.url = endpoint.url
        parts = urlsplit(endpoint.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path
        self._timeouts = timeouts
        self._session = _Session(
            direct=is_this_machine(parts.hostname or ""), connections=connections
        )
        token = endpoint.token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session.headers.update(headers)
        self._masked = Secrets(headers).masked

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
        request = partial(
            self._session.request,
            method,
            self.url + path,
            data=body,
            headers={**content_type, **self._headers(accept), **headers},
            timeout=(timeouts.connect, timeouts.first_byte),
            stream=True,
            allow_redirects=False,
        )
        response = Response(
            self._sent(request, what, timeouts, cancellation),
            what=what,
            timeouts=timeouts,
            deadline=deadline,
            cancellation=cancellation,
        )
        return self._checked(response, what, accepted)

    def _sent(
        self,
        request: Callable[[], requests.Response],
        what: str,
        timeouts: Timeouts,
        cancellation: Cancellation,
    ) -> requests.Response:
        def send() -> requests.Response:
            with cancellation.watch_requests():
                return request()

        attempted = partial(
            attempt,
            send,
            what,
            server=self.url,
            connect=timeouts.connect,
            read=timeouts.first_byte,
            masked=self._masked,
        )
        try:
            return attempted()
        except ConnectionFailedError as error:
            if cancellation.cancelled:
                raise ConnectionFailedError(f"{what}: cancelled") from error
            if not cancellation.reused:
                raise
        return attempted()

    def _checked(
        self, response: Response, what: str, accepted: Container[int]
    ) -> Response:
        proxy = proxy_of(self.url) if response.status == 407 else None
        if proxy is None and response.status in accepted:
            return response
        with response:
            if proxy is not None:
                raise proxy_refusal(self.url, proxy)
            raise status_error(response, what)

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
    """A session that uses the proxies of the environment, unless it is `direct`.

    It asks one server, mostly the same: what does not change is prepared once.
    """

    def __init__(self, *, direct: bool, connections: int) -> None:
        super().__init__()
        self._direct = direct
        self.cookies.set_policy(_AnyScheme())
        for scheme in ("http://", "https://"):
            self.mount(scheme, CancellableAdapter(pool_maxsize=connections))
        self._last: tuple[object, requests.PreparedRequest] | None = None
        self._environment: tuple[float, Any] | None = None

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request; of one like the last, only the cookies and the body."""
        key = request.method, request.url, request.headers
        if (last := self._last) is None or last[0] != key:
            template = requests.PreparedRequest()
            headers = {**self.headers, **request.headers}
            # Without any ``auth``, requests would look for a login in the address.
            template.prepare(*key[:2], headers, auth=lambda prepared: prepared)
            last = self._last = key, template
        prepared = last[1].copy()
        if len(self.cookies):
            prepared.prepare_cookies(self.cookies)
        if request.data:
            prepared.prepare_body(request.data, None)
        return prepared

    def merge_environment_settings(
        self, url: Any, proxies: Any, *others: Any, **named: Any
    ) -> Any:
        now = time.monotonic()
        if (found := self._environment) is None or now >= found[0]:
            if self._direct:  # else the whole environment is read
                proxies = {"no_proxy": urlsplit(url).hostname}
            settings: Any = super().merge_environment_settings(
                url, proxies, *others, **named
            )
            if self._direct:
                settings = {**settings, "proxies": {}}
            found = self._environment = now + _FRESH, settings
        return found[1]

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Ignore redirects: requests would read the body, however long it is."""


class _AnyScheme(DefaultCookiePolicy):
    """Sends a "Secure" cookie back over plain http, too: servers behind it set such."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        cookie.secure = False
        return super().set_ok(cookie, request)


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
