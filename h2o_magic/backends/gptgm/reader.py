"""The body of a gpt-gm answer, read as events.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.events` come out.
"""

from __future__ import annotations

from collections.abc import Iterator

from h2o_magic.backends.event_body import EventBody
from h2o_magic.backends.gptgm.stream import Interpreter
from h2o_magic.errors import IncompleteAnswerError, ProtocolError
from h2o_magic.events import Event, Finished

__all__ = ["AnswerReader"]

_EXPECTED = "an answer in the gpt-gm protocol"
_HINT = "check the server's address"


class AnswerReader:
    """Turn the body of an answer into events.

    Parameters
    ----------
    interpreter
        What reads the events and keeps the answer.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._body = EventBody()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes of the body and yield the events that they complete.

        Raises
        ------
        GenerationError
            If an event reports an error; what came before it is yielded first.
        ProtocolError
            If the body is a document of more than 16 MiB.
        """
        for event in self._body.feed(data):
            yield from self._interpreter.feed(event)

    def flush(self) -> Iterator[Event]:
        """Yield the text that the end of the body, or a cut, leaves to be shown.

        Raises
        ------
        GenerationError
            If the body is a document that reports an error.
        """
        for event in self._body.flush():
            yield from self._interpreter.feed(event)
        yield from self._interpreter.take(self._body.document())
        yield from self._interpreter.rest()

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
        if self._body.says_something and not self._interpreter.understood:
            raise ProtocolError(self._body.complaint(_EXPECTED, _HINT))
        raise IncompleteAnswerError(
            "the answer ended without its final event, so its end may be missing: "
            "ask again",
            partial=self._interpreter.text,
        )
