"""Where a question to a gpt-gm server is asked: which conversation, with which text.

A server that still has the chat gets the question alone. Otherwise the conversation is
made again from our own transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.backends.gptgm.calls import GptGmCalls
from h2o_magic.backends.gptgm.repairs import conversation_lost, terms_missing
from h2o_magic.errors import BackendError, ConnectionFailedError, StatusError
from h2o_magic.events import Source
from h2o_magic.messages import Message, assistant
from h2o_magic.parameters import Value
from h2o_magic.transport import Cancellation

__all__ = ["Known", "Place", "Question", "Seat"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question is asked, what is sent there as its text, and what answers."""

    calls: GptGmCalls
    conversation: str
    inputs: str
    source: Source | None = None

    @property
    def takes_schema(self) -> bool:
        """Whether the server said that it can hold answers to a JSON schema."""
        return self.source is not None and self.source.schema


@dataclass(frozen=True, slots=True)
class Known:
    """A server conversation, the messages that the server has of it, what answers."""

    calls: GptGmCalls
    conversation: str
    model: str
    messages: tuple[Message, ...]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, apart from where.

    Attributes
    ----------
    model : str
        Id of the model.
    messages : tuple of Message
        The whole context; the last one is the question.
    parameters : mapping
        Generation parameters, with those of the protocol only.
    options : mapping
        The ``options`` of the body.
    schema : mapping or None
        JSON schema of the answer; sent only to servers that can use it.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Value]
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None

    @property
    def stop(self) -> tuple[str, ...]:
        """The stop texts among the parameters."""
        stop = self.parameters.get("stop", ())
        return stop if isinstance(stop, tuple) else ()

    def source(self, place: Place) -> Source | None:
        """Return what answers at `place`, and whether it is held to the schema."""
        if place.source is None:
            return None
        held = place.takes_schema and self.schema is not None
        return replace(place.source, schema=held)

    def document(self, place: Place, failure: BackendError | None) -> dict[str, Any]:
        """Return the body of ``POST /conversation/{id}``.

        Parameters
        ----------
        place
            Where it is asked, and with which text.
        failure
            Why the last try failed; None on the first.
        """
        options = dict(self.options)
        if failure is not None:
            options["is_retry"] = True
        if self.schema is not None and place.takes_schema:
            options["json_schema"] = dict(self.schema)
        if isinstance(failure, StatusError) and failure.status == 503:
            options["wait_for_model"] = True
        return {
            "inputs": place.inputs,
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.parameters.items()
            },
            "stream": True,
            "options": options,
        }


class Seat:
    """Finds the place of one question, and keeps it while it holds.

    Parameters
    ----------
    question
        What is asked.
    connect
        Returns the session to use; True asks for a new one.
    pack
        Makes one text of all messages, for servers that take no history.
    known
        The server conversation of this chat, if there is one.
    """

    def __init__(
        self,
        question: Question,
        connect: Callable[[bool], GptGmCalls],
        *,
        pack: Callable[[Sequence[Message]], str],
        cancellation: Cancellation,
        known: Known | None = None,
    ) -> None:
        self._question = question
        self._connect = connect
        self._pack = pack
        self._cancellation = cancellation
        self._known = known
        self.places: list[Place] = []

    def connect(self, failure: BackendError | None) -> GptGmCalls:
        """Return the session to ask in; nothing is sent for it.

        Parameters
        ----------
        failure
            Why the last try failed; None on the first.
        """
        return self._connect(isinstance(failure, ConnectionFailedError))

    def find(self, calls: GptGmCalls, failure: BackendError | None) -> Place:
        """Return the place to ask at.

        Parameters
        ----------
        calls
            The session to ask in.
        failure
            Why the last try failed; None on the first.
        """
        if terms_missing(failure):
            calls.forget_terms()
        if conversation_lost(failure):
            self._known = None
            self.places.clear()
        place = self._kept(calls)
        if place is None:
            place = self._make(calls)
            self.places.append(place)
        else:
            calls.accept_terms(self._question.model, self._cancellation)
        return place

    def leftovers(self) -> list[Place]:
        """Return the places on the server that the turn has not ended at."""
        old = self._known
        used = {place.conversation for place in self.places}
        if old is None or old.conversation in used:
            return self.places[:-1]
        return [Place(old.calls, old.conversation, ""), *self.places[:-1]]

    def known_after(self, answer: str) -> Known:
        """Return what the server knows after it has stored the turn with `answer`."""
        place, question = self.places[-1], self._question
        return Known(
            place.calls,
            place.conversation,
            question.model,
            (*question.messages, assistant(answer)),
            place.source,
        )

    def _kept(self, calls: GptGmCalls) -> Place | None:
        if self.places and self.places[-1].calls is calls:
            return self.places[-1]
        known, question = self._known, self._question
        if (
            known is None
            or known.calls is not calls
            or known.model != question.model
            or _plain(known.messages) != _plain(question.messages[:-1])
        ):
            return None
        self.places.append(
            Place(
                calls,
                known.conversation,
                question.messages[-1].content,
                known.source,
            )
        )
        return self.places[-1]

    def _make(self, calls: GptGmCalls) -> Place:
        *history, last = self._question.messages
        calls.accept_terms(self._question.model, self._cancellation)
        created = calls.create(self._question.model, history, self._cancellation)
        packed = self._pack(self._question.messages)
        inputs = last.content if created.has_history else packed
        return Place(calls, created.id, inputs, created.source)


def _plain(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Return messages without what servers and notebooks trim."""
    return [(message.role, message.content.strip()) for message in messages]
