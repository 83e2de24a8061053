"""An answer's body, read as events: what the dialects' parsers share.

Bytes go in, cut anywhere; events of :mod:`h2o_magic.chat.events` come out, the same for
every cut.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from h2o_magic.backends.http import Response, Timeouts
from h2o_magic.backends.sse import EventBody, ServerSentEvent
from h2o_magic.backends.text import GrowingText
from h2o_magic.chat.events import Event, Finished
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    ProtocolError,
    TimedOutError,
)

# Seconds to wait for the counts after the answer's end, and for the end of the body
# after the server said that nothing more comes.
_COUNTS_GRACE = 5.0
_END_GRACE = 1.0

NO_MESSAGE = "the server reported an error without a message"
BROKE_OFF = "the answer broke off, so its end is missing: ask again"


class AnswerParser(ABC):
    """Turns the body of one answer into events."""

    #: What the body should be, for errors.
    _expected: str

    def __init__(self, answer: GrowingText, *others: GrowingText) -> None:
        self._body = EventBody()
        self._answer = answer
        self._texts = (answer, *others)
        self.chunks = 0  # how many pieces of the answer came
        self.done = False  # whether the server said that nothing more comes

    @property
    def text(self) -> str:
        return self._answer.shown

    @property
    def started(self) -> bool:
        return self._answer.started

    @property
    def ended(self) -> bool:
        """Whether the server said that the answer is complete."""
        return self.done

    @abstractmethod
    def end(self, lost: BackendError | None = None) -> Finished:
        """Return the end, or raise why there is none; `lost` is what cut it off."""

    @abstractmethod
    def _events(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Yield what events that came together mean."""

    @abstractmethod
    def _document(self, document: object) -> Iterator[Event]:
        """Yield the answer of a server that did not stream; None where it did."""

    @abstractmethod
    def _rest(self) -> Iterator[Event]:
        """Yield what was held back; nothing more comes."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that `data` completes; the server's error comes last."""
        yield from self._events(self._body.feed(data))

    def flush(self) -> Iterator[Event]:
        """Yield what remains at the end of the body, or at a cut."""
        yield from self._events(self._body.flush())
        yield from self._document(self._body.document())
        yield from self._rest()

    def read(self, reply: Response, timeouts: Timeouts) -> Iterator[Event]:
        """Yield the events of a reply's body, the last of them `Finished`."""
        for text in self._texts:
            text.secrets = reply.secrets
        lost: BackendError | None = None
        last = time.monotonic()
        try:
            for data in reply.chunks():
                before = self.chunks
                yield from self.feed(data)
                if self.chunks > before:
                    last = time.monotonic()
                self._limit(reply, timeouts, time.monotonic() - last)
        except (ConnectionFailedError, TimedOutError) as error:
            lost = error
        yield from self.flush()
        if isinstance(lost, TimedOutError) and not self.ended:
            lost.partial = self.text
            raise lost
        yield self.end(lost)

    def _limit(self, reply: Response, timeouts: Timeouts, silence: float) -> None:
        """Limit the wait for the next byte; a hung server's pings do not prolong it."""
        if self.done:
            reply.limit_wait(min(_END_GRACE, timeouts.idle), "end")
        elif self.ended:
            reply.limit_wait(min(_COUNTS_GRACE, timeouts.idle), "end")
        else:
            left = max(timeouts.first_byte - silence, 0.0)
            if not self.started:
                reply.limit_wait(left, "first words", total=timeouts.first_byte)
            elif left < timeouts.idle:
                reply.limit_wait(left, "next words", total=timeouts.first_byte)

    def _refuse_foreign(self, lost: BackendError | None) -> None:
        if self.chunks or self.done or not self._body.has_content:
            return
        if lost is None or self._body.is_page:
            raise ProtocolError(self._body.complaint(self._expected)) from lost
