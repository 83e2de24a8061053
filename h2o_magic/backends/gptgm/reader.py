"""The body of a gpt-gm answer, read whatever kind of body it is.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.events` come out.
"""

from __future__ import annotations

import json
import re

from h2o_magic.backends.gptgm.stream import Interpreter
from h2o_magic.decoders import EventDecoder, ServerSentEvent
from h2o_magic.error_text import error_text, html_title
from h2o_magic.errors import IncompleteAnswerError, ProtocolError
from h2o_magic.events import Event, Finished

__all__ = ["AnswerReader"]

_BOM = b"\xef\xbb\xbf"
_COMMENTS = re.compile(rb"(?m)^:.*$")
_SNIPPET = 200  # bytes of an unusable answer that its error shows
_LONGEST_DOCUMENT = 16 * 2**20  # bytes


class AnswerReader:
    """Turn the body of an answer into events.

    The first byte that is no white space tells what the body is: ``<`` begins an HTML
    page, ``{`` or ``[`` a JSON document (an error, or the answer of a server that did
    not stream); anything else is read as server-sent events. The content type is not
    asked, since servers and what stands before them get it wrong.

    Parameters
    ----------
    interpreter
        What reads the events and keeps the answer.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._decoder = EventDecoder()
        self._body = bytearray()  # all of a document; the beginning of a stream
        self._first = b""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the body and return the events they complete.

        Raises
        ------
        GenerationError
            If an event reports an error.
        ProtocolError
            If the body is a document of more than 16 MiB.
        """
        if self._is_stream():
            self._body += data[: max(0, _SNIPPET - len(self._body))]
            return self._interpret(self._decoder.feed(data))
        self._body += data
        if not self._first:
            if _BOM.startswith(self._body):
                return []  # nothing yet, or a part of the byte order mark
            self._body = self._body.removeprefix(_BOM).lstrip()
            self._first = bytes(self._body[:1])
            if self._is_stream():
                return self._interpret(self._decoder.feed(bytes(self._body)))
        if len(self._body) > _LONGEST_DOCUMENT:
            raise ProtocolError("the answer is a document of more than 16 MiB")
        return []

    def flush(self) -> list[Event]:
        """Return the text that the end of the body, or a cut, leaves to be shown.

        Raises
        ------
        GenerationError
            If the body is a document that reports an error.
        """
        events = self._interpret(self._decoder.flush())
        if self._first in (b"{", b"["):
            events += self._document()
        return events + self._interpreter.rest()

    def end(self) -> Finished:
        """Return the end of the answer, after :meth:`flush`.

        Raises
        ------
        IncompleteAnswerError
            If the final event never came; the text so far is in ``partial``.
        ProtocolError
            If the body is no answer at all.
        """
        if self._interpreter.finished:
            return self._interpreter.finished
        body = _COMMENTS.sub(b"", self._body).strip()
        if body and not self._interpreter.understood:
            raise ProtocolError(self._complaint())
        raise IncompleteAnswerError(
            "the answer ended without its final event, so its end may be missing: "
            "ask again",
            partial=self._interpreter.text,
        )

    def _is_stream(self) -> bool:
        return self._first not in (b"", b"<", b"{", b"[")

    def _interpret(self, events: list[ServerSentEvent]) -> list[Event]:
        return [out for event in events for out in self._interpreter.feed(event)]

    def _document(self) -> list[Event]:
        try:
            document = json.loads(self._body)
        except (ValueError, RecursionError):
            return []
        return self._interpreter.take(document)

    def _complaint(self) -> str:
        if self._first == b"<":
            page = self._body.decode("utf-8", errors="replace")
            return (
                f"expected an answer, got a web page titled {html_title(page)!r}: "
                "check the server's address, and whether it asks for a login"
            )
        snippet = error_text(bytes(self._body[:_SNIPPET]), limit=_SNIPPET)
        return f"expected an answer in the gpt-gm protocol, got {snippet!r}"
