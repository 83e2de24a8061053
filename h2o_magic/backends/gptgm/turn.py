"""One question to a gpt-gm server: asked, repaired before the first token, read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any

from h2o_magic.backends.gptgm.advice import explained
from h2o_magic.backends.gptgm.reader import AnswerReader
from h2o_magic.backends.gptgm.repairs import Repairs
from h2o_magic.backends.gptgm.seat import Place, Question, Seat
from h2o_magic.backends.gptgm.stream import Interpreter
from h2o_magic.backends.patience import Patience
from h2o_magic.backends.telling import telling
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    StatusError,
    TimedOutError,
)
from h2o_magic.events import Event, Finished, Notice, Source
from h2o_magic.transport import Cancellation, Reply

__all__ = ["answer_events"]

# Seconds to wait for the end of the body after the final event. The server stores the
# turn then, and a turn that is sent before does not see this one.
_END_GRACE = 5.0


def answer_events(
    seat: Seat,
    question: Question,
    *,
    patience: Patience,
    cancellation: Cancellation,
    stored: Callable[[str], None],
) -> Generator[Event, None, None]:
    """Ask, and yield the answer's events, the last of them `Finished`.

    Parameters
    ----------
    seat
        Finds the place to ask at.
    question
        What is asked.
    patience
        How often to ask a busy server.
    cancellation
        Ends the answer from another thread, without an error and without `Finished`.
    stored
        Called with the answer of record once the server has stored the turn.

    Raises
    ------
    BackendError
        If the answer does not come or breaks off. An error of the function that says
        where the server is, is passed on as it is.
    """
    repairs = Repairs(patience)
    failure: BackendError | None = None
    while True:
        calls = seat.connect(failure)
        place: Place | None = None
        told = False
        try:
            place = seat.find(calls, failure)
            document = question.document(place, failure)
            for event in _one_try(place, document, question, cancellation, stored):
                told = told or not isinstance(event, Source | Notice)
                yield event
            return
        except BackendError as error:
            if cancellation.cancelled:
                return
            delay = None if told else repairs.delay(error)
            if delay is None:
                with telling(
                    partial(
                        explained,
                        url=calls.endpoint.url,
                        model=question.model,
                        naming=place is None,
                    )
                ):
                    raise
            failure = error
        if cancellation.wait(delay):
            return


def _one_try(
    place: Place,
    document: Mapping[str, Any],
    question: Question,
    cancellation: Cancellation,
    stored: Callable[[str], None],
) -> Iterator[Event]:
    source = question.source(place)
    if source is not None:
        yield source
    interpreter = Interpreter(
        question=question.messages[-1].content,
        stop=question.stop,
        full_text=question.parameters.get("return_full_text") is True,
    )
    reply: Reply | None = None
    try:
        reply = place.calls.generate(place.conversation, document, cancellation)
        with reply:
            finished = yield from _read(reply, interpreter)
    except (GenerationError, ProtocolError, StatusError):
        raise  # the server has ended the turn itself
    except BaseException:
        # Closing the connection does not stop the server: it would generate to the
        # end, and then store the turn over all that was made meanwhile.
        if reply is None or not reply.ended:
            place.calls.stop(place.conversation)
        raise
    if reply.ended:
        stored(finished.text)
    yield finished


def _read(reply: Reply, interpreter: Interpreter) -> Generator[Event, None, Finished]:
    reader = AnswerReader(interpreter)
    lost: BackendError | None = None
    try:
        for data in reply.chunks():
            yield from reader.feed(data)
            if interpreter.said_end:
                reply.hurry(_END_GRACE)
    except (ConnectionFailedError, TimedOutError) as error:
        lost = error
    yield from reader.flush()
    if lost is None or interpreter.said_end:
        return reader.end()
    if isinstance(lost, TimedOutError):
        lost.partial = interpreter.text
        raise lost
    raise IncompleteAnswerError(
        "the answer broke off, so its end is missing: ask again",
        partial=interpreter.text,
    ) from lost
