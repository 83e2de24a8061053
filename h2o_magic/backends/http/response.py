"""A server's response as it arrives: status, headers, and a body read bit by bit."""

from __future__ import annotations

import json
import math
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

from h2o_magic.backends.http.compression import decompressed
from h2o_magic.backends.http.connections import Cancellation
from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.http.error_mapping import attempt
from h2o_magic.backends.http.retry_wait import retry_wait
from h2o_magic.backends.retry import BUSY_STATUSES
from h2o_magic.backends.secrets import Secrets
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)

_READ_SIZE = 65536  # bytes at most in one read
_MAX_DOCUMENT = 16 * 2**20  # bytes
_MAX_ERROR_BODY = 65536  # bytes


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The waits of one exchange with a server, in seconds, each above 0."""

    connect: float = 5.0
    first_byte: float = 300.0
    idle: float = 60.0
    overall: float = 3600.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value <= 0:
                raise ConfigurationError(
                    f"expected the {field.name} timeout in seconds, above 0, "
                    f"got {value!r}"
                )


DEFAULT_TIMEOUTS = Timeouts()
#: For optional calls, whose failure changes nothing.
QUICK = Timeouts(connect=2, first_byte=2, idle=2, overall=4)


class Response:
    """A response whose body is still to be read, with the request's secrets masked."""

    def __init__(
        self,
        response: requests.Response,
        *,
        what: str,
        timeouts: Timeouts,
        deadline: float,
        cancellation: Cancellation,
    ) -> None:
        self.status = response.status_code
        self.secrets = Secrets(response.request.headers)
        self.headers: Mapping[str, str] = CaseInsensitiveDict(
            (name, self.secrets.masked(value))
            for name, value in response.headers.items()
        )
        self.ended = False
        self._raw = response.raw
        self._what = what
        self._deadline = deadline
        self._timeouts = timeouts
        self._socket_timeout = 0.0
        self._cancellation = cancellation
        self.limit_wait(timeouts.first_byte, "first byte")

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def redirect(self) -> str:
        """Where the server sends to, for a message; its query may be confidential."""
        target = re.split("[?#]", self.headers.get("Location", ""))[0]
        return f"a redirect to {target[:200]!r}, not followed" if target else ""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, decompressed; a BackendError if it does not."""
        chunks = self._decompressed()
        return self.secrets.masked_chunks(chunks) if self.secrets else chunks

    def _decompressed(self) -> Iterator[bytes]:
        encoding = self.headers.get("Content-Encoding", "")
        try:
            yield from decompressed(self._chunks(), encoding)
        except zlib.error as error:
            raise ProtocolError(
                f"{self._what}: the body is not valid gzip: {error}"
            ) from error

    def _chunks(self) -> Iterator[bytes]:
        while data := self._read():
            self.limit_wait(self._timeouts.idle, "next byte")
            yield data
            del data  # not yet masked, and tracebacks may show what frames hold
        self.ended = True
        self._cancellation.release()

    def limit_wait(
        self, seconds: float, what: str, *, total: float | None = None
    ) -> None:
        """Wait at most this long for `what`, the rest of `total` seconds if given."""
        self._wait = (seconds, what, seconds if total is None else total)

    def read(self, limit: int) -> bytes:
        body = bytearray()
        for data in self.chunks():
            body += data
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    def json(self) -> Any:
        """Return up to 16 MiB of JSON."""
        body = self.read(_MAX_DOCUMENT)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(
                f"{self._what}: expected JSON, got {error_text(body, limit=200)!r}"
            ) from error

    def close(self) -> None:
        """Close the connection unless the body has ended. Any thread may call this."""
        if not self.ended:  # first, since closing waits for a read of another thread
            self._cancellation.shut_down()
        self._raw.close()
        self._cancellation.release()

    def _read(self) -> bytes:
        seconds, what, total = self._wait
        left = self._deadline - time.monotonic()
        if left < seconds:
            seconds, what, total = left, "end", self._timeouts.overall
        waiting = f"{self._what}: waiting for the {what}"
        masked = self.secrets.masked
        return attempt(lambda: self._read1(seconds), waiting, read=total, masked=masked)

    def _read1(self, seconds: float) -> bytes:
        if seconds <= 0:
            raise TimeoutError
        if seconds != self._socket_timeout:
            self._cancellation.limit(seconds)
            self._socket_timeout = seconds
        data = b""
        try:
            data = self._raw.read1(_READ_SIZE, decode_content=False)
        except Exception:
            # A socket that is shut down while it is read fails in many ways ...
            if not self._cancellation.cancelled:
                raise
        if self._cancellation.cancelled:  # ... or looks like a body that ended
            raise ConnectionFailedError(f"{self._what}: cancelled")
        return data


def status_error(response: Response, what: str) -> StatusError:
    """Return the error of a response's status, in the server's words if it has any."""
    try:
        body = response.read(_MAX_ERROR_BODY)
    except BackendError:
        body = b""  # the status is what counts
    words = error_text(body)
    details = f": {words}" if words else ""
    if response.redirect:
        details = f", {response.redirect}"
    message = f"{what}: HTTP {response.status}{details}"
    limited = response.status == 429
    wait = retry_wait(response.headers, body, limited=limited)
    if limited or (response.status in BUSY_STATUSES and wait is not None):
        return RateLimitedError(
            message, status=response.status, server_message=words, retry_after=wait
        )
    return StatusError(message, status=response.status, server_message=words)
