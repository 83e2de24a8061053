"""The way to one server: its base URL, its cookies, the requests to it.

A :class:`Transport` talks to one base URL and to nothing else: it follows no redirect,
and gives cookies and the token to nobody but the configured origin.
"""

from __future__ import annotations

import json
import time
from collections.abc import Container, Mapping
from functools import cache
from http.cookiejar import Cookie, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import requests

from h2o_magic.backends.http.cancellation import Cancellation
from h2o_magic.backends.http.connections import WatchedAdapter
from h2o_magic.backends.http.error_mapping import mapped
from h2o_magic.backends.http.response import Reply, status_error
from h2o_magic.backends.http.timeouts import DEFAULT_TIMEOUTS, Timeouts
from h2o_magic.config.url import Endpoint, is_loopback
from h2o_magic.errors import ConnectionFailedError

_SUCCESS = range(200, 300)


class Transport:
    """The way to one server: one base URL, one cookie jar, one pool of connections.

    Several threads may use it at once.

    Parameters
    ----------
    endpoint
        Where the server is, and the token that it asks for.
    timeouts
        How long to wait.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self.url = endpoint.url
        parts = urlsplit(endpoint.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path
        self._timeouts = timeouts
        self._session = _Session()
        if endpoint.token is not None:
            self._session.headers["Authorization"] = f"Bearer {endpoint.token}"
        host = parts.hostname or ""
        # Beside the proxies of the environment, which requests adds.
        self._proxies = {"no_proxy": host} if is_loopback(host) else {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def claim_https(self) -> bool:
        """Name the origin as https from now on; return whether that is a change.

        A chat-ui of June 2023 behind plain http believes that it is behind https, and
        refuses the true origin (tests/recordings, ``no-origin-http-referer``).
        """
        plain, self.origin = self.origin, self.origin.replace("http://", "https://", 1)
        return self.origin != plain

    def send(
        self,
        method: str,
        path: str,
        *,
        document: object = None,
        again: object = None,
        form: Mapping[str, str] | None = None,
        accept: str = "application/json",
        accepted: Container[int] = _SUCCESS,
        timeouts: Timeouts | None = None,
        cancellation: Cancellation | None = None,
    ) -> Reply:
        """Send a request and return the answer, whose body is still to be read.

        A connection that the server closed while it was idle shows only when it is
        used. Such a request is sent once more, over a new one.

        Parameters
        ----------
        method, path
            The HTTP method, and the path after the base URL, from its first slash on.
        document
            Sent as a JSON body.
        again
            What to send instead of `document` when the request is sent once more.
        form
            Sent as a form body.
        accept
            The ``Accept`` header.
        accepted
            The HTTP statuses that are no error.
        timeouts
            Instead of the transport's own.
        cancellation
            Ends the exchange from another thread.

        Raises
        ------
        StatusError
            If the status is not among the accepted, or is a redirect.
        ConnectionFailedError
            If the server is not reached, or ends the connection without an answer.
        TimedOutError
            If connecting or the answer's first byte takes too long.
        """
        what = f"{method} {self.url}{path}"
        limits = timeouts or self._timeouts
        watcher = cancellation or Cancellation()
        deadline = time.monotonic() + limits.overall

        def ask(content: object) -> requests.Response:
            body, headers = _encoded(content, form)
            connect, read = limits.connect, limits.first_byte
            with (
                mapped(what, server=self.url, connect=connect, read=read),
                watcher.watching(),
            ):
                return self._session.request(
                    method,
                    self.url + path,
                    data=body,
                    headers=headers | self._headers(accept),
                    timeout=(connect, read),
                    proxies=dict(self._proxies),
                    stream=True,
                    allow_redirects=False,
                )

        try:
            response = ask(document)
        except ConnectionFailedError as error:
            if watcher.cancelled:
                raise ConnectionFailedError(f"{what}: cancelled") from error
            if not watcher.reused:
                raise
            response = ask(again or document)
        reply = Reply(
            response,
            what=what,
            timeouts=limits,
            deadline=deadline,
            cancellation=watcher,
        )
        if reply.status not in accepted:
            with reply:
                raise status_error(reply, what)
        return reply

    def close(self) -> None:
        """Close the idle connections. The cookies stay, and it can be used again."""
        self._session.close()

    def _headers(self, accept: str) -> dict[str, str]:
        return {
            "User-Agent": _user_agent(),
            "Origin": self.origin,
            "Referer": f"{self.origin}{self._prefix}/",
            "Accept": accept,
            "Accept-Encoding": "identity",
        }


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.auth = _unchanged
        self.cookies.set_policy(_AnyScheme())
        for scheme in ("http://", "https://"):
            self.mount(scheme, WatchedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """See a redirect nowhere: requests would read its body, however long it is."""


class _AnyScheme(DefaultCookiePolicy):
    """Sends a "Secure" cookie back over plain http, too.

    A server behind plain http may still call its cookie so (tests/recordings). It goes
    to the configured origin only, which is where it came from.
    """

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        cookie.secure = False
        return super().set_ok(cookie, request)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing; without any ``auth``, requests would look into ~/.netrc."""
    return request


def _encoded(
    document: object, form: Mapping[str, str] | None
) -> tuple[Any, dict[str, str]]:
    """Return a body as requests takes it, and the header that says what it is."""
    if document is None:
        return form, {}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    # Half a surrogate pair is no character and has no bytes.
    return text.encode("utf-8", "replace"), {"Content-Type": "application/json"}


@cache
def _user_agent() -> str:
    try:
        return f"h2o-magic/{version('h2o-magic')}"
    except PackageNotFoundError:
        return "h2o-magic"
