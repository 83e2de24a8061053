"""The body of an OpenAI-compatible answer, read whatever kind of body it is.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.events` come out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from h2o_magic.backends.openai.stream import Interpreter
from h2o_magic.decoders import EventDecoder
from h2o_magic.error_text import error_text, html_title
from h2o_magic.errors import BackendError, IncompleteAnswerError, ProtocolError
from h2o_magic.events import Event, Finished

__all__ = ["AnswerReader"]

_BOM = b"\xef\xbb\xbf"
_COMMENTS = re.compile(rb"(?m)^:.*$")
_SNIPPET = 200  # bytes of an unusable answer that its error shows
_LONGEST_DOCUMENT = 16 * 2**20  # bytes

_NO_WORD = (
    "the server ended its answer before the first word: perhaps the question with its "
    "history is too long for the model; shorten it, or send fewer earlier turns"
)
_CUT_FIRST = (
    "the server ended the connection before the first word of its answer: ask again; "
    "its log may say why"
)
_BROKE_OFF = "the answer broke off, so its end is missing: ask again"
_NO_END = (
    "the answer ended without a word that it is whole, so its end may be missing "
    "(some servers drop it when somebody else asks): ask again"
)


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

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes of the body and yield the events that they complete.

        Raises
        ------
        GenerationError
            If an event reports an error; what came before it is yielded first.
        ProtocolError
            If the body is a document of more than 16 MiB.
        """
        if self._is_stream():
            self._body += data[: max(0, _SNIPPET - len(self._body))]
            yield from self._interpret(data)
            return
        self._body += data
        if not self._first:
            if _BOM.startswith(self._body):
                return  # nothing yet, or a part of the byte order mark
            self._body = self._body.removeprefix(_BOM).lstrip()
            self._first = bytes(self._body[:1])
            if self._is_stream():
                yield from self._interpret(bytes(self._body))
        if len(self._body) > _LONGEST_DOCUMENT:
            raise ProtocolError("the answer is a document of more than 16 MiB")

    def flush(self) -> Iterator[Event]:
        """Yield what the end of the body, or a cut, leaves to be shown.

        Raises
        ------
        GenerationError
            If the body is a document that reports an error.
        """
        for event in self._decoder.flush():
            yield from self._interpreter.feed(event)
        if self._first in (b"{", b"["):
            yield from self._document()
        yield from self._interpreter.rest()

    def end(self, lost: BackendError | None = None) -> Finished:
        """Return the end of the answer, after :meth:`flush`.

        Parameters
        ----------
        lost
            What happened to the connection, if the body did not come to its end.

        Raises
        ------
        IncompleteAnswerError
            If nothing said that the answer is whole; the text so far is in
            ``partial``.
        ProtocolError
            If the body is no answer at all.
        """
        finished = self._interpreter.finished()
        if finished is not None:
            return finished
        if self._is_foreign(cut=lost is not None):
            raise ProtocolError(self._complaint()) from lost
        if self._interpreter.spoke:
            message = _NO_END if lost is None else _BROKE_OFF
        else:
            message = _NO_WORD if lost is None else _CUT_FIRST
        raise IncompleteAnswerError(message, partial=self._interpreter.text) from lost

    def _is_stream(self) -> bool:
        return self._first not in (b"", b"<", b"{", b"[")

    def _is_foreign(self, *, cut: bool) -> bool:
        if self._interpreter.chunks or self._interpreter.said_done:
            return False
        said = bool(_COMMENTS.sub(b"", self._body).strip())
        return said and (not cut or self._first == b"<")

    def _interpret(self, data: bytes) -> Iterator[Event]:
        for event in self._decoder.feed(data):
            yield from self._interpreter.feed(event)

    def _document(self) -> Iterator[Event]:
        try:
            document = json.loads(self._body)
        except (ValueError, RecursionError):
            return
        yield from self._interpreter.take(document, whole=True)

    def _complaint(self) -> str:
        if self._first == b"<":
            page = self._body.decode("utf-8", errors="replace")
            return (
                f"expected an answer, got a web page titled {html_title(page)!r}: "
                "check the server's address, and whether it asks for a login"
            )
        snippet = error_text(bytes(self._body[:_SNIPPET]), limit=_SNIPPET)
        return (
            f"expected an answer of an OpenAI-compatible server, got {snippet!r}: "
            "check the server's address"
        )
