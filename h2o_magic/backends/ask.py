"""One question to a server, whatever its dialect: sent, sent again before text, read.

What the dialects do differently is a :class:`Question`, made anew for each request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Protocol, TypeVar

from h2o_magic.backends.error_advice import telling
from h2o_magic.backends.http import Cancellation, Response, Timeouts
from h2o_magic.backends.stream import AnswerStream
from h2o_magic.chat.events import Event, Finished, Notice, Source
from h2o_magic.errors import BackendError, ConnectionFailedError, TimedOutError

_Calls = TypeVar("_Calls")
_Calls_contra = TypeVar("_Calls_contra", contravariant=True)

# Seconds to wait for the counts after the answer's end, and for the end of the body
# after the word that nothing more comes.
_COUNTS_GRACE = 5.0
_END_GRACE = 1.0


class Question(Protocol[_Calls_contra]):
    """What the dialects do differently in asking one question."""

    def answer(
        self, calls: _Calls_contra, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        """Send the question once, and yield the answer's events to its `Finished`.

        Whatever ends this early stops the server's work on the answer.
        """

    def retry_after(self, error: BackendError) -> float | None:
        """Return the seconds after which to send it again; None to give up.

        Asked only about failures that came before any text.
        """

    def explained(self, error: BackendError, calls: _Calls_contra) -> BackendError:
        """Return `error` with advice, or as it is if there is none."""


class Interprets(Protocol):
    """What is asked of an answer while it is read."""

    @property
    def text(self) -> str:
        """The answer's text so far."""

    @property
    def chunks(self) -> int:
        """How many pieces of the answer came."""

    @property
    def spoke(self) -> bool:
        """Whether text came."""

    @property
    def said_end(self) -> bool:
        """Whether the server said that the answer is whole."""

    @property
    def said_done(self) -> bool:
        """Whether the server said that nothing more comes."""


class Reader(Protocol):
    """What turns the bytes of an answer into events."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes."""

    def flush(self) -> Iterator[Event]:
        """Yield what was held back; no more bytes come."""

    def end(self, lost: BackendError | None = None) -> Finished:
        """Return the end, or raise why there is none; `lost` is what cut it off."""


def ask(question: Question[_Calls], connect: Callable[[bool], _Calls]) -> AnswerStream:
    """Return the coming answer; nothing is sent before it is iterated.

    Parameters
    ----------
    question
        What is asked, and how.
    connect
        Returns the way to the server; told True where the last one led to nobody. The
        question is sent once more only if that returns another.
    """
    cancellation = Cancellation()
    return AnswerStream(_events(question, connect, cancellation), cancellation)


def _events(
    question: Question[_Calls],
    connect: Callable[[bool], _Calls],
    cancellation: Cancellation,
) -> Generator[Event, None, None]:
    calls, moved = connect(False), False
    while True:
        spoke = False
        try:
            with closing(question.answer(calls, cancellation)) as events:
                for event in events:
                    spoke = spoke or not isinstance(event, Source | Notice)
                    yield event
            return
        except BackendError as error:
            if cancellation.cancelled:
                return
            lost = isinstance(error, ConnectionFailedError) and not (spoke or moved)
            if lost and (other := connect(True)) is not calls:
                calls, moved = other, True
                continue
            delay = None if spoke else question.retry_after(error)
            if delay is None:
                with telling(partial(question.explained, calls=calls)):
                    raise
        if cancellation.wait(delay):
            return


def read(
    reply: Response, reader: Reader, interpreter: Interprets, timeouts: Timeouts
) -> Iterator[Event]:
    """Yield the events of an answer's body, the last of them `Finished`."""
    lost: BackendError | None = None
    last = time.monotonic()
    try:
        for data in reply.chunks():
            before = interpreter.chunks
            yield from reader.feed(data)
            if interpreter.chunks > before:
                last = time.monotonic()
            _limit(reply, interpreter, timeouts, time.monotonic() - last)
    except (ConnectionFailedError, TimedOutError) as error:
        lost = error
    yield from reader.flush()
    if isinstance(lost, TimedOutError) and not interpreter.said_end:
        lost.partial = interpreter.text
        raise lost
    yield reader.end(lost)


def _limit(
    reply: Response, interpreter: Interprets, timeouts: Timeouts, silence: float
) -> None:
    """Limit the wait for the next byte.

    A server may name itself before it begins to read the question, so the long wait
    is that for the first text. What is no piece of the answer keeps nobody waiting
    for longer: some servers ping on while they hang.
    """
    if interpreter.said_done:
        reply.limit_wait(min(_END_GRACE, timeouts.idle), "end")
    elif interpreter.said_end:
        reply.limit_wait(min(_COUNTS_GRACE, timeouts.idle), "end")
    else:
        left = max(timeouts.first_byte - silence, 0.0)
        if not interpreter.spoke:
            reply.limit_wait(left, "first words", total=timeouts.first_byte)
        elif left < timeouts.idle:
            reply.limit_wait(left, "next words", total=timeouts.first_byte)
