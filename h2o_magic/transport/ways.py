"""What carries a request to a server and the head of its answer back: two ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from h2o_magic.endpoint import is_loopback

__all__ = ["Answered", "RawBody", "Way", "way_to"]


class RawBody(Protocol):
    """The body of an answer, as it comes."""

    def read1(self, amt: int, /) -> bytes:
        """Return what is there, at most `amt` bytes; wait for some; none at the end."""

    def close(self) -> None:
        """Keep the connection if the body has ended, else close it."""


class Answered(NamedTuple):
    """The head of an answer.

    Attributes
    ----------
    raw : RawBody
        Its body.
    status : int
        The HTTP status.
    headers : mapping
        The headers, by name in any case.
    sent : mapping
        The headers that the request had.
    """

    raw: RawBody
    status: int
    headers: Mapping[str, str]
    sent: Mapping[str, str]


class Way(Protocol):
    """The connections to one server and its cookies. Several threads may use it."""

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
        """Send a request and return the answer, whose body is still to be read.

        No redirect is followed. Errors are those of the library underneath.

        Parameters
        ----------
        method, path
            The HTTP method, and the path after the base URL.
        data, headers
            The body, and the headers but for those of cookies and of lengths.
        connect, first_byte
            Seconds to wait for the connection, and for the answer's head.
        """

    def keep_cookie(self, name: str, value: str) -> None:
        """Send a cookie until the server replaces it."""

    def close(self) -> None:
        """Close the idle connections; the cookies stay."""


def way_to(url: str) -> Way:
    """Return the way to a base URL.

    Plain HTTP to this machine knows neither proxies nor certificates. For it Python's
    own client is enough, which a kernel has imported already: ``requests`` takes a
    third of the time from a fresh kernel to the first text.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        from h2o_magic.transport.loopback import LoopbackWay  # noqa: PLC0415

        return LoopbackWay(url)
    from h2o_magic.transport.by_requests import RequestsWay  # noqa: PLC0415

    return RequestsWay(url)
