"""The body of an OpenAI-compatible answer, read as events, and how it ended.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.chat.events` come out.
"""

from __future__ import annotations

from collections.abc import Iterator

from h2o_magic.backends.openai.parser import Interpreter
from h2o_magic.backends.sse import EventReader
from h2o_magic.chat.events import Event, Finished
from h2o_magic.errors import BackendError, IncompleteAnswerError, ProtocolError

_EXPECTED = "an answer of an OpenAI-compatible server"
_HINT = "check the server's address"
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


class AnswerReader(EventReader[Interpreter]):
    """Turn the body of an answer into events, and say how it ended."""

    _unread_before_end = ""

    def flush(self) -> Iterator[Event]:
        """Yield what the end of the body leaves, as :meth:`.EventReader.flush`."""
        self._unread_before_end = self._interpreter.unread
        yield from super().flush()

    def end(self, lost: BackendError | None = None) -> Finished:
        """Return the end of the answer, after :meth:`flush`.

        Raise an IncompleteAnswerError if a part of it could not be read, or nothing
        said that it is whole; a ProtocolError if it is no answer at all. `lost` is what
        happened to the connection, if the body did not come to its end.
        """
        read, cut = self._interpreter, lost is not None
        if self._is_foreign(cut=cut):
            raise ProtocolError(self._body.complaint(_EXPECTED, _HINT)) from lost
        # Half an event at a cut is no fault of its own.
        if unread := self._unread_before_end if cut else read.unread:
            raise IncompleteAnswerError(unread, partial=read.text) from lost
        finished = read.finished(cut=cut)
        if finished is not None:
            return finished
        if read.spoke:
            message = _BROKE_OFF if cut else _NO_END
        else:
            message = _CUT_FIRST if cut else _NO_WORD
        raise IncompleteAnswerError(message, partial=read.text) from lost

    def _is_foreign(self, *, cut: bool) -> bool:
        if self._interpreter.chunks or self._interpreter.said_done:
            return False
        return self._body.says_something and (not cut or self._body.is_page)
