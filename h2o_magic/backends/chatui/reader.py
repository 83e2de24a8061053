"""The body of a chat-ui answer, read as events.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.events` come out.
"""

from __future__ import annotations

from collections.abc import Iterator

from h2o_magic.backends.chatui.objects import ObjectDecoder
from h2o_magic.backends.chatui.stream import Interpreter
from h2o_magic.backends.sse import complaint
from h2o_magic.errors import IncompleteAnswerError, ProtocolError
from h2o_magic.events import Event, Finished

__all__ = ["AnswerReader"]

_EXPECTED = "an answer of chat-ui since 2024 (JSON lines)"
_HINT = "check which protocol the server speaks"
_SNIPPET = 400  # bytes of an unusable answer that its error shows


class AnswerReader:
    """Turn the body of an answer into events.

    The content type is not asked: until 2025 chat-ui called its JSON lines
    ``text/event-stream``.

    Parameters
    ----------
    interpreter
        What reads the updates and keeps the answer.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._decoder = ObjectDecoder()
        self._beginning = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes of the body and yield the events they complete.

        Raises
        ------
        GenerationError, StatusError
            As :meth:`.Interpreter.feed` does; what came before is yielded first.
        """
        self._beginning += data[: _SNIPPET - len(self._beginning)]
        for update in self._decoder.feed(data):
            yield from self._interpreter.feed(update)

    def flush(self) -> Iterator[Event]:
        """Yield what the end of the body, or a cut, completes.

        Raises
        ------
        GenerationError, StatusError
            As :meth:`.Interpreter.feed` does.
        """
        for update in self._decoder.flush():
            yield from self._interpreter.feed(update)

    def end(self) -> Finished:
        """Return the end of the answer, after :meth:`flush`.

        Raises
        ------
        IncompleteAnswerError
            If the final update never came; the text so far is in ``partial``.
        ProtocolError
            If the body is no answer at all.
        """
        if self._interpreter.finished:
            return self._interpreter.finished
        if self._beginning.strip() and not self._interpreter.understood:
            raise ProtocolError(complaint(self._beginning, _EXPECTED, _HINT))
        raise IncompleteAnswerError(
            "the answer ended without its final update, so its end may be missing: "
            "ask again",
            partial=self._interpreter.text,
        )
