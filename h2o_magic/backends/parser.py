"""An answer's body, read as events: what the dialects' parsers share.

Bytes go in, cut anywhere; events of :mod:`h2o_magic.chat.events` come out, the same for
every cut. What cannot be read is never passed over: the answer is incomplete then.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from h2o_magic.backends.http import Response, Timeouts
from h2o_magic.backends.sse import EventBody, ServerSentEvent
from h2o_magic.backends.text import GrowingText
from h2o_magic.backends.values import LAST, values_of
from h2o_magic.chat.events import Event, Finished
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    IncompleteAnswerError,
    ProtocolError,
    TimedOutError,
)

# Seconds to wait for the counts after the answer's end, and for the end of the body
# after the server said that nothing more comes.
_COUNTS_GRACE = 5.0
_END_GRACE = 1.0

_PINGS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive"})
#: Names of an event after which, as a rule, nothing comes.
_LAST = frozenset({"done", "end", "close", "complete", "completed", "finish"})
_SNIPPET = 80  # characters of what cannot be read

NO_MESSAGE = "the server reported an error without a message"
BROKE_OFF = "the server stopped while it was answering: ask again"


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
        self._unread = ""  # what of the answer could not be read, in words
        self._unread_before_flush = ""

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
    def _take(self, value: object) -> Iterator[Event]:
        """Yield what one value means, DONE and LAST among them."""

    @abstractmethod
    def _grow(self) -> Iterator[Event]:
        """Yield the text of the values that came together."""

    @abstractmethod
    def _fail(self, report: object) -> Iterator[Event]:
        """Raise the error that a server reports, unless the answer is complete."""

    @abstractmethod
    def _rest(self) -> Iterator[Event]:
        """Yield what was held back; nothing more comes."""

    @abstractmethod
    def _size(self) -> int:
        """Return how many characters of the answer have come."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that `data` completes; the server's error comes last."""
        yield from self._events(self._body.feed(data))

    def flush(self) -> Iterator[Event]:
        """Yield what remains at the end of the body, or at a cut."""
        self._unread_before_flush = self._unread
        yield from self._events(self._body.flush())
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

    def _events(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Yield what events that came together mean."""
        for event in events:
            if event.error is not None or event.event == "error":
                yield from self._fail(event.error or event.data)
            elif event.event not in _PINGS and not self.done:
                last = event.event in _LAST
                yield from self._values(event, passed_over=last)
                if last:
                    yield from self._take(LAST)
        yield from self._grow()

    def _values(self, event: ServerSentEvent, *, passed_over: bool) -> Iterator[Event]:
        if event.damaged:
            self._note_unread(event.data, ", which is not UTF-8")
        try:
            for value in values_of(event.data):
                yield from self._take(value)
        except (ValueError, RecursionError):
            if not passed_over:
                self._note_unread(event.data)

    def _note_unread(self, data: str, why: str = "") -> None:
        start = " ".join(data.split())[:_SNIPPET]
        self._unread = self._unread or (
            f"a part of the answer, after {self._size()} characters, cannot be read "
            f"({start!r}{why}), so text may be missing there: ask again"
        )

    def _refuse_unread(self, lost: BackendError | None) -> None:
        # Half an event at a cut is not an error in itself.
        unread = self._unread if lost is None else self._unread_before_flush
        if unread:
            raise IncompleteAnswerError(unread, partial=self.text) from lost

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
