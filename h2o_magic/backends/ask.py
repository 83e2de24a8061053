"""One question to a server, whatever its dialect: sent, and retried before any text.

What the dialects do differently is a :class:`Question`, made anew for each request.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Protocol, TypeVar

from h2o_magic.backends.error_advice import explaining_errors
from h2o_magic.backends.http import Cancellation
from h2o_magic.chat.events import Event, Notice, RateLimit, Source
from h2o_magic.errors import BackendError, ConnectionFailedError

#: What comes before the answer, and does not keep it from being asked for again.
_BEFORE_TEXT = (Source, Notice, RateLimit)
_Client = TypeVar("_Client")
_Client_contra = TypeVar("_Client_contra", contravariant=True)


class Question(Protocol[_Client_contra]):
    """What the dialects do differently in asking one question."""

    def answer(
        self, client: _Client_contra, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        """Send the question once, and yield the answer's events to its `Finished`.

        Closing it early stops the server's work on the answer.
        """

    def retry_after(self, error: BackendError) -> float | None:
        """Return the seconds to wait if a failure came before text; None: give up."""

    def explain(self, error: BackendError, client: _Client_contra) -> str:
        """Return the message of `error`, with advice if there is any."""


class AnswerStream(Iterator[Event]):
    """The events of one answer; any thread may close it, which is no error."""

    def __init__(
        self, events: Generator[Event, None, None], cancellation: Cancellation
    ) -> None:
        self._events = events
        self._cancellation = cancellation
        self._iterating = threading.RLock()

    def __next__(self) -> Event:
        with self._iterating:
            return next(self._events)

    def close(self) -> None:
        """Stop the answer, here and on the server; wakes whoever waits for an event."""
        self._cancellation.cancel()
        if not self._iterating.acquire(blocking=False):
            return  # another thread is iterating it, which ends it now
        try:
            # ValueError: this thread is in the middle of it.
            with contextlib.suppress(ValueError):
                self._events.close()
        finally:
            self._iterating.release()


def ask(
    question: Question[_Client], connect: Callable[[bool], _Client]
) -> AnswerStream:
    """Return the coming answer; `connect` gets True if the server is unreachable."""
    cancellation = Cancellation()
    return AnswerStream(_events(question, connect, cancellation), cancellation)


def _events(
    question: Question[_Client],
    connect: Callable[[bool], _Client],
    cancellation: Cancellation,
) -> Generator[Event, None, None]:
    client, moved = connect(False), False
    while True:
        started = False
        try:
            with closing(question.answer(client, cancellation)) as events:
                for event in events:
                    started = started or not isinstance(event, _BEFORE_TEXT)
                    yield event
            return
        except BackendError as error:
            if cancellation.cancelled:
                return
            lost = isinstance(error, ConnectionFailedError) and not (started or moved)
            if lost and (other := connect(True)) is not client:
                client, moved = other, True
                continue
            delay = None if started else question.retry_after(error)
            if delay is None:
                with explaining_errors(partial(question.explain, client=client)):
                    raise
        if cancellation.wait(delay):
            return
