"""The body of an answer in server-sent events, whatever kind of body really comes.

Pure: bytes go in, cut anywhere; events or one document come out. The first byte that
is no white space tells what the body is: ``<`` begins an HTML page, ``{`` or ``[`` a
JSON document (an error, or the answer of a server that did not stream); anything else
is read as server-sent events. The content type is not asked, since servers and what
stands before them get it wrong.
"""

from __future__ import annotations

import json
import re

from h2o_magic.decoders import EventDecoder, ServerSentEvent
from h2o_magic.error_text import error_text, html_title
from h2o_magic.errors import ProtocolError

__all__ = ["EventBody", "complaint"]

_BOM = b"\xef\xbb\xbf"
_COMMENTS = re.compile(rb"(?m)^:.*$")
_SNIPPET = 200  # bytes of an unusable answer that its error shows
_LONGEST_DOCUMENT = 16 * 2**20  # bytes


class EventBody:
    """A body as it comes."""

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._body = bytearray()  # all of a document; the beginning of a stream
        self._first = b""

    @property
    def is_page(self) -> bool:
        """True if it is an HTML page."""
        return self._first == b"<"

    @property
    def says_something(self) -> bool:
        """True if it is more than white space and comments."""
        return bool(_COMMENTS.sub(b"", self._body).strip())

    @property
    def between_events(self) -> bool:
        """True if it is a stream of which no part of an event has come."""
        return self._is_stream() and self._decoder.between_events

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events they complete.

        Raises
        ------
        ProtocolError
            If the body is a document of more than 16 MiB.
        """
        if self._is_stream():
            self._body += data[: max(0, _SNIPPET - len(self._body))]
            return self._decoder.feed(data)
        self._body += data
        if not self._first:
            if _BOM.startswith(self._body):
                return []  # nothing yet, or a part of the byte order mark
            self._body = self._body.removeprefix(_BOM).lstrip()
            self._first = bytes(self._body[:1])
            if self._is_stream():
                events = self._decoder.feed(bytes(self._body))
                del self._body[_SNIPPET:]
                return events
        if len(self._body) > _LONGEST_DOCUMENT:
            raise ProtocolError("the answer is a document of more than 16 MiB")
        return []

    def flush(self) -> list[ServerSentEvent]:
        """Return the events that the end of the bytes completes."""
        return self._decoder.flush()

    def document(self) -> object:
        """Return the JSON document that the body is; None if it is none."""
        if self._first not in (b"{", b"["):
            return None
        try:
            return json.loads(self._body)
        except (ValueError, RecursionError):
            return None

    def complaint(self, expected: str, hint: str) -> str:
        """Return what is wrong with a body that is no answer, as :func:`complaint`."""
        body = bytes(self._body)
        return complaint(body if self.is_page else body[:_SNIPPET], expected, hint)

    def _is_stream(self) -> bool:
        return self._first not in (b"", b"<", b"{", b"[")


def complaint(body: bytes, expected: str, hint: str) -> str:
    """Return what to say of a body that is no answer.

    Parameters
    ----------
    body
        The body, or its beginning.
    expected
        What an answer would be.
    hint
        What to check if it is something else than a web page.
    """
    start = body.lstrip()
    if start.startswith(b"<"):
        title = html_title(start.decode("utf-8", errors="replace"))
        return (
            f"expected an answer, got a web page titled {title!r}: "
            "check the server's address, and whether it asks for a login"
        )
    snippet = error_text(start, limit=_SNIPPET)
    return f"expected {expected}, got {snippet!r}: {hint}"
