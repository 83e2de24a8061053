"""A server's answer as it comes: status, headers, and a body read bit by bit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from h2o_magic.content_coding import ContentDecoder
from h2o_magic.error_text import asked_wait, error_text, reason_of
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)
from h2o_magic.transport.cancellation import Cancellation
from h2o_magic.transport.failures import mapped
from h2o_magic.transport.secrecy import Secrets
from h2o_magic.transport.timeouts import Timeouts
from h2o_magic.transport.ways import RawBody

__all__ = ["Reply", "status_error"]

_PIECE = 65536  # bytes asked for at once; what is there comes at once
_LONGEST_DOCUMENT = 16 * 2**20  # bytes
_ERROR_BODY = 65536  # bytes read of an error answer
_BUSY = frozenset({408, 500, 502, 503, 504, 529})  # statuses that may name a wait


class Reply:
    """An answer whose body is still to be read. Close it, or use it in a ``with``.

    Errors that leave such a block show no secret, though the server may repeat it.

    Attributes
    ----------
    status : int
        The HTTP status.
    headers : mapping
        The headers, by name in any case.
    ended : bool
        True once the server has properly ended the body.
    secrets : Secrets
        What must not be seen of the request.
    """

    def __init__(
        self,
        raw: RawBody,
        *,
        status: int,
        headers: Mapping[str, str],
        what: str,
        timeouts: Timeouts,
        deadline: float,
        cancellation: Cancellation,
        secrets: Secrets,
    ) -> None:
        self.status = status
        self.headers = headers
        self.ended = False
        self.secrets = secrets
        self._raw = raw
        self._what = what
        self._deadline = deadline
        self._timeouts = timeouts
        self._idle = timeouts.idle
        self.allow(timeouts.first_byte, "first byte")
        self._cancellation = cancellation

    def __enter__(self) -> Reply:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, BackendError):
            self.secrets.hide(error)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, decompressed.

        Raises
        ------
        TimedOutError
            If the first byte, the next byte or the end takes too long.
        ConnectionFailedError
            If the connection ends before the body does, or is cancelled.
        """
        decoder = ContentDecoder(self.headers.get("Content-Encoding", ""))
        while data := self._read():
            self.allow(self._idle, "next byte")
            if plain := decoder.feed(data):
                yield plain
        self.ended = True
        self._cancellation.release()
        if rest := decoder.flush():
            yield rest

    def hurry(self, seconds: float) -> None:
        """Wait at most this long for each byte from now on."""
        self._idle = min(self._idle, seconds)
        self.allow(self._idle, "end")

    def allow(self, seconds: float, what: str, *, of: float | None = None) -> None:
        """Wait at most this long for the next byte.

        Parameters
        ----------
        seconds
            How long; it may be what is left of a longer wait, which is then `of`.
        what
            What is waited for, for an error.
        """
        self._wait = (seconds, what, seconds if of is None else of)

    def read(self, limit: int) -> bytes:
        """Return the first `limit` bytes of the body, or all if it is shorter."""
        body = bytearray()
        for data in self.chunks():
            body += data
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    def json(self, *, cleaned: bool = False) -> Any:
        """Return the body as a JSON document.

        Parameters
        ----------
        cleaned
            True takes the request's secrets out of it, which a server may repeat: for
            what is listed and kept.

        Raises
        ------
        ProtocolError
            If it is none, or larger than 16 MiB.
        """
        body = self.read(_LONGEST_DOCUMENT)
        try:
            document = json.loads(body)
            return self.secrets.cleaned(document) if cleaned else document
        except (ValueError, RecursionError) as error:
            raise ProtocolError(
                f"{self._what}: expected JSON, got {error_text(body, limit=200)!r}"
            ) from error

    def close(self) -> None:
        """Close the connection unless the body has ended. Any thread may call this."""
        if not self.ended:
            self._cancellation.shut_down()
        self._raw.close()
        self._cancellation.release()

    def _read(self) -> bytes:
        seconds, what, whole = self._wait
        left = self._deadline - time.monotonic()
        if left < seconds:
            seconds, what, whole = left, "end", self._timeouts.overall
        try:
            with mapped(f"{self._what}: waiting for the {what}", read=whole):
                if seconds <= 0:
                    raise TimeoutError
                self._cancellation.limit(seconds)
                data = self._raw.read1(_PIECE)
        except Exception as error:
            # A socket that is shut down while it is read fails in many ways.
            if self._cancellation.cancelled:
                raise ConnectionFailedError(f"{self._what}: cancelled") from error
            raise
        if self._cancellation.cancelled:  # ... or looks like a body that ended
            raise ConnectionFailedError(f"{self._what}: cancelled")
        return data


def status_error(reply: Reply, what: str) -> StatusError:
    """Return the error that an answer of this status stands for.

    Its message is the server's reason alone, if there is one.
    """
    try:
        body = reply.read(_ERROR_BODY)
    except BackendError:
        body = b""  # the status is what counts
    body = reply.secrets.mask(body)  # here, since words are cut to a length
    words = error_text(body)
    shown = f": {words}" if words else ""
    if target := reply.headers.get("Location"):
        # Its query may hold what is not for everybody's eyes.
        shown = f", a redirect to {target.partition('?')[0][:200]!r}, not followed"
    message = reason_of(body) or f"{what}: HTTP {reply.status}{shown}"
    wait = asked_wait(reply.headers, body, limited=reply.status == 429)
    if reply.status == 429 or (reply.status in _BUSY and wait is not None):
        return RateLimitedError(
            message, status=reply.status, server_message=words, retry_after=wait
        )
    return StatusError(message, status=reply.status, server_message=words)
