"""One question to a chat-ui server: asked, repaired before the first token, read."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

from h2o_magic.backends.chatui.calls import ChatUICalls
from h2o_magic.backends.chatui.reader import AnswerReader
from h2o_magic.backends.chatui.repairs import Repairs
from h2o_magic.backends.chatui.seat import Place, Seat
from h2o_magic.backends.chatui.stream import Interpreter
from h2o_magic.backends.patience import Patience
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    StatusError,
    TimedOutError,
)
from h2o_magic.events import Event, Finished, Source
from h2o_magic.transport import Cancellation, Reply

__all__ = ["Turn"]

# Seconds to wait for the end of the body after the final update. It usually comes
# within 0.1 s; a title that the server still waits for is worth no more.
_END_GRACE = 2.0


class Turn:
    """One question and its answer.

    Parameters
    ----------
    seat
        Finds the place to ask at.
    calls
        The session to ask in.
    model
        The model that is asked.
    patience
        How often to ask a busy server.
    longest_silence
        Seconds that the answer may not get on, whatever signs of life come.
    cancellation
        Ends the answer from another thread, without an error and without `Finished`.
    """

    def __init__(
        self,
        seat: Seat,
        calls: ChatUICalls,
        *,
        model: str,
        patience: Patience,
        longest_silence: float,
        cancellation: Cancellation,
    ) -> None:
        self._seat = seat
        self._calls = calls
        self._model = model
        self._patience = patience
        self._longest_silence = longest_silence
        self._cancellation = cancellation

    def events(self) -> Generator[Event, None, None]:
        """Ask, and yield the answer's events, the last of them `Finished`.

        Raises
        ------
        BackendError
            If the answer does not come or breaks off.
        """
        repairs = Repairs(self._patience)
        failure: BackendError | None = None
        while True:
            told = False
            try:
                place = self._seat.find(failure)
                for event in self._one_try(place):
                    told = told or not isinstance(event, Source)
                    yield event
                return
            except BackendError as error:
                if self._cancellation.cancelled:
                    return
                delay = None if told else repairs.delay(error, kept=self._seat.kept)
                if delay is None:
                    raise
                failure = error
            if self._cancellation.wait(delay):
                return

    def _one_try(self, place: Place) -> Iterator[Event]:
        interpreter = Interpreter()
        reply: Reply | None = None
        try:
            reply = self._calls.generate(
                place.conversation,
                place.document,
                self._cancellation,
                model=self._model,
            )
            with reply:
                finished = yield from self._read(reply, interpreter)
        except (GenerationError, ProtocolError, StatusError):
            raise  # the server has ended the turn itself
        except BaseException:
            if not interpreter.said_end and (reply is None or not reply.ended):
                self._leave(place, interpreter.text)
            raise
        self._seat.answered(place, finished.text)
        yield finished

    def _leave(self, place: Place, shown: str) -> None:
        """Stop the server, since closing the connection does not."""
        point = None
        if shown:
            point = {
                "generationId": place.asked.generation,
                "seenContentLength": len(shown.encode("utf-16-le")) // 2,
            }
        self._calls.stop(place.conversation, point)
        # On a first turn the server writes the messages some seconds after its stop,
        # over all that was asked meanwhile. No branch is lost with such a conversation.
        if self._seat.tree is not None and self._seat.tree.bare:
            self._seat.leave()

    def _read(
        self, reply: Reply, interpreter: Interpreter
    ) -> Generator[Event, None, Finished]:
        reader = AnswerReader(interpreter)
        lost: BackendError | None = None
        try:
            for data in self._timed(reply, interpreter):
                yield from reader.feed(data)
        except (ConnectionFailedError, TimedOutError) as error:
            lost = error
        yield from reader.flush()
        if lost is None or interpreter.said_end:
            return reader.end()
        if isinstance(lost, TimedOutError):
            raise TimedOutError(
                f"{lost}: ask again, or look whether the server is busy",
                partial=interpreter.text,
            ) from lost
        raise IncompleteAnswerError(
            "the answer broke off, so its end is missing: ask again",
            partial=interpreter.text,
        ) from lost

    def _timed(self, reply: Reply, interpreter: Interpreter) -> Iterator[bytes]:
        """Yield the body while the answer gets on, and a little after its end."""
        progress, limit = -1, 0.0
        for data in reply.chunks():
            yield data
            if interpreter.progress != progress:
                progress = interpreter.progress
                grace = _END_GRACE if interpreter.said_end else self._longest_silence
                limit = time.monotonic() + grace
                if interpreter.said_end:
                    reply.hurry(_END_GRACE)
            elif time.monotonic() > limit:
                if interpreter.said_end:
                    return
                raise TimedOutError(
                    f"no text for {self._longest_silence:g} s, only signs of life"
                )
