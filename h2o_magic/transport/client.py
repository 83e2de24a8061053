"""The way to one server: its base URL, its cookies, the requests to it.

A :class:`Transport` talks to one base URL and to nothing else: it follows no redirect,
and gives cookies and the token to nobody but the configured origin.
"""

from __future__ import annotations

import json
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlencode, urlsplit

from h2o_magic.endpoint import Endpoint
from h2o_magic.errors import ConnectionFailedError
from h2o_magic.transport.cancellation import Cancellation
from h2o_magic.transport.failures import mapped
from h2o_magic.transport.multipart import multipart
from h2o_magic.transport.reply import Reply, status_error
from h2o_magic.transport.secrecy import Secrets
from h2o_magic.transport.timeouts import DEFAULT_TIMEOUTS, Timeouts
from h2o_magic.transport.ways import way_to

__all__ = ["Transport"]

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
        self._token = endpoint.token
        self._way = way_to(endpoint.url)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def claim_https(self) -> bool:
        """Name the origin as https from now on; return whether that is a change.

        A chat-ui of June 2023 behind plain http believes that it is behind https, and
        refuses the true origin (tests/recordings, ``no-origin-http-referer``).
        """
        plain, self.origin = self.origin, self.origin.replace("http://", "https://", 1)
        return self.origin != plain

    def keep_cookie(self, name: str, value: str) -> None:
        """Send a cookie to this server until the server replaces it.

        Parameters
        ----------
        name, value
            As they stand in the ``Cookie`` header.
        """
        self._way.keep_cookie(name, value)

    def send(
        self,
        method: str,
        path: str,
        *,
        document: object = None,
        again: object = None,
        form: Mapping[str, str] | None = None,
        parts: Mapping[str, str] | None = None,
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
        parts
            Sent as the text fields of a ``multipart/form-data`` body.
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
        exchange = _Exchange(
            what=f"{method} {self.url}{path}",
            timeouts=timeouts or self._timeouts,
            cancellation=cancellation or Cancellation(),
        )
        body = _encode(document, form, parts)
        try:
            reply = self._exchange(method, path, body, accept, exchange)
        except ConnectionFailedError:
            if not exchange.cancellation.reused or exchange.cancellation.cancelled:
                raise
            body = _encode(again or document, form, parts)
            reply = self._exchange(method, path, body, accept, exchange)
        if reply.status not in accepted:
            with reply:
                raise status_error(reply, exchange.what)
        return reply

    def close(self) -> None:
        """Close the idle connections. The cookies stay, and it can be used again."""
        self._way.close()

    def _exchange(
        self,
        method: str,
        path: str,
        body: tuple[bytes | None, dict[str, str]],
        accept: str,
        exchange: _Exchange,
    ) -> Reply:
        data, headers = body
        headers = {**self._headers(), **headers, "Accept": accept}
        limits = exchange.timeouts
        way = mapped(
            exchange.what,
            server=self.url,
            connect=limits.connect,
            read=limits.first_byte,
        )
        with way, exchange.cancellation.watching():
            answered = self._way.send(
                method,
                path,
                data,
                headers,
                connect=limits.connect,
                first_byte=limits.first_byte,
            )
        return Reply(
            answered.raw,
            status=answered.status,
            headers=answered.headers,
            what=exchange.what,
            timeouts=limits,
            deadline=exchange.deadline,
            cancellation=exchange.cancellation,
            secrets=Secrets(answered.sent),
        )

    def _headers(self) -> dict[str, str]:
        headers = {
            "User-Agent": _user_agent(),
            "Origin": self.origin,
            "Referer": f"{self.origin}{self._prefix}/",
            "Accept-Encoding": "identity",
        }
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


@dataclass(frozen=True, slots=True)
class _Exchange:
    what: str
    timeouts: Timeouts
    cancellation: Cancellation
    started: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float:
        return self.started + self.timeouts.overall


def _encode(
    document: object,
    form: Mapping[str, str] | None,
    parts: Mapping[str, str] | None,
) -> tuple[bytes | None, dict[str, str]]:
    """Return a body and the header that says what it is."""
    if parts is not None:
        data, kind = multipart(parts)
        return data, {"Content-Type": kind}
    if form is not None:
        kind = "application/x-www-form-urlencoded"
        return urlencode(form).encode(), {"Content-Type": kind}
    if document is None:
        return None, {}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    # Half a surrogate pair is no character and has no bytes.
    return text.encode("utf-8", "replace"), {"Content-Type": "application/json"}


@cache
def _user_agent() -> str:
    try:
        return f"h2o-magic/{version('h2o-magic')}"
    except PackageNotFoundError:
        return "h2o-magic"
