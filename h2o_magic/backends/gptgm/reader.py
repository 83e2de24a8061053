"""The body of a gpt-gm answer, read as events.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.events` come out.
"""

from __future__ import annotations

from h2o_magic.backends.gptgm.stream import Interpreter
from h2o_magic.backends.sse import EventReader
from h2o_magic.errors import IncompleteAnswerError, ProtocolError
from h2o_magic.events import Finished

__all__ = ["AnswerReader"]

_EXPECTED = "an answer in the gpt-gm protocol"
_HINT = "check the server's address"


class AnswerReader(EventReader[Interpreter]):
    """Turn the body of an answer into events, and say how it ended."""

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
