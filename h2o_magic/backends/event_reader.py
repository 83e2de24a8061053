"""The body of an answer in server-sent events, read by what knows their dialect.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.events` come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from h2o_magic.backends.event_body import EventBody
from h2o_magic.backends.own_facts import comment_notices
from h2o_magic.decoders import ServerSentEvent
from h2o_magic.events import Event

__all__ = ["EventReader", "Interprets"]


class Interprets(Protocol):
    """What reads the events of one dialect, and keeps the answer."""

    def feed(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Take events of the stream, that came together, and yield what they mean.

        Text in neighbouring ones may be yielded as one.
        """

    def take_whole(self, document: object) -> Iterator[Event]:
        """Take the only document of a body; None where it is a stream."""

    def rest(self) -> Iterator[Event]:
        """Yield what was held back; nothing more comes."""


_I = TypeVar("_I", bound=Interprets)


class EventReader(Generic[_I]):
    """Turn the body of an answer into events.

    Parameters
    ----------
    interpreter
        What reads the events and keeps the answer.
    """

    def __init__(self, interpreter: _I) -> None:
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
        yield from self._read(self._body.feed(data))

    def flush(self) -> Iterator[Event]:
        """Yield what the end of the body, or a cut, leaves to be shown.

        Raises
        ------
        GenerationError
            If the body is a document that reports an error.
        """
        yield from self._read(self._body.flush())
        yield from self._interpreter.take_whole(self._body.document())
        yield from self._interpreter.rest()

    def _read(self, events: list[ServerSentEvent]) -> Iterator[Event]:
        for is_comment, run in groupby(events, attrgetter("comment")):
            if is_comment:
                for comment in run:
                    yield from comment_notices(comment.data)
            else:
                yield from self._interpreter.feed(run)
