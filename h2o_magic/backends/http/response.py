"""A server's answer as it comes: status, headers, and a body read bit by bit."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from h2o_magic.backends.http.cancellation import Cancellation
from h2o_magic.backends.http.error_body import asked_wait, error_text, reason_of
from h2o_magic.backends.http.error_mapping import mapped
from h2o_magic.backends.http.timeouts import Timeouts
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)

_PIECE = 65536  # bytes asked for at once; what is there comes at once
_LONGEST_DOCUMENT = 16 * 2**20  # bytes
_ERROR_BODY = 65536  # bytes read of an error answer
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_SHORTEST_SECRET = 6  # characters; a shorter value stands in other words, too
_BUSY = frozenset({408, 500, 502, 503, 504, 529})  # statuses that may name a wait


class Reply:
    """An answer whose body is still to be read. Close it, or use it in a ``with``.

    Errors that leave such a block show no secret, though the server may repeat it.
    """

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
        self.headers: Mapping[str, str] = response.headers
        self.ended = False
        self.secrets = Secrets(response.request.headers)
        self._raw = response.raw
        self._what = what
        self._deadline = deadline
        self._overall = timeouts.overall
        self._idle = timeouts.idle
        self._limit = 0.0  # seconds that a read may wait, as the socket has it
        self._cancellation = cancellation
        self.allow(timeouts.first_byte, "first byte")

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
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
        ProtocolError
            If the body begins as gzip, as its header says, and then is not.
        """
        data = self._read()
        # Nobody is asked for it. The header may be false: chat-ui passes on that of its
        # upstream over what it has decompressed. No text begins with this character.
        zipped = "gzip" in self.headers.get("Content-Encoding", "").lower()
        unzip = zlib.decompressobj(_GZIP_WINDOW) if data[:1] == b"\x1f" else None
        while data:
            self.allow(self._idle, "next byte")
            if unzip and zipped:
                try:
                    data = unzip.decompress(data)
                except zlib.error as error:
                    raise ProtocolError(f"{self._what}: no gzip: {error}") from error
            if data:
                yield data
            data = self._read()
        self.ended = True
        self._cancellation.release()

    def hurry(self, seconds: float) -> None:
        """Wait at most this long for each byte from now on."""
        self._idle = min(self._idle, seconds)
        self.allow(self._idle, "end")

    def allow(self, seconds: float, what: str, *, of: float | None = None) -> None:
        """Wait at most so long for the next byte; an error says for `what`.

        It may be what is left of a longer wait, which is then `of`, in seconds.
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
        if not self.ended:  # first, since closing waits for a read of another thread
            self._cancellation.shut_down()
        self._raw.close()
        self._cancellation.release()

    def _read(self) -> bytes:
        seconds, what, whole = self._wait
        left = self._deadline - time.monotonic()
        if left < seconds:
            seconds, what, whole = left, "end", self._overall
        try:
            if seconds <= 0:
                raise TimeoutError
            if seconds != self._limit:
                self._cancellation.limit(seconds)
                self._limit = seconds
            data: bytes = self._raw.read1(_PIECE, decode_content=False)
        except Exception as error:
            # A socket that is shut down while it is read fails in many ways.
            if self._cancellation.cancelled:
                raise ConnectionFailedError(f"{self._what}: cancelled") from error
            with mapped(f"{self._what}: waiting for the {what}", read=whole):
                raise
        if self._cancellation.cancelled:  # ... or looks like a body that ended
            raise ConnectionFailedError(f"{self._what}: cancelled")
        return data


class Secrets:
    """Key and cookies of a request: not to be seen, although a server repeats them."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        cookies = headers.get("Cookie", "").split("; ")
        values = [cookie.partition("=")[2].strip('"') for cookie in cookies]
        values.append(headers.get("Authorization", "").partition(" ")[2])
        found = {value for value in values if len(value) >= _SHORTEST_SECRET}
        self._values = sorted(found, key=len, reverse=True)

    def mask(self, body: bytes) -> bytes:
        """Return what a server sent without the secrets."""
        for value in self._values:
            body = body.replace(value.encode(), b"***")
        return body

    def without(self, text: str) -> str:
        """Return a text without the secrets."""
        for value in self._values:
            text = text.replace(value, "***")
        return text

    def cleaned(self, document: Any) -> Any:
        """Return a JSON document without the secrets in its texts."""
        if isinstance(document, str):
            return self.without(document)
        if isinstance(document, list):
            return [self.cleaned(item) for item in document]
        if isinstance(document, dict):
            return {self.without(k): self.cleaned(v) for k, v in document.items()}
        return document

    def hide(self, error: BackendError) -> None:
        """Take the secrets out of an error's words, but not of an answer's text."""
        error.args = tuple(
            self.without(word) if isinstance(word, str) else word for word in error.args
        )
        if isinstance(error, StatusError):
            error.server_message = self.without(error.server_message)


def status_error(reply: Reply, what: str) -> StatusError:
    """Return the error of an answer's status, in the server's words if it has any."""
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
