"""The notebook's session: its conversation, and asking on it.

What magic and panel share. It knows no notebook: it takes a question with the id of
the cell that asks, yields events, and keeps the turn however the answer ends.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from h2o_magic.answers import AnswerRecord, Facts
from h2o_magic.backends import Backend, ChatRequest, ModelInfo
from h2o_magic.errors import (
    ConfigurationError,
    IncompleteAnswerError,
    MessagesError,
    MisuseError,
)
from h2o_magic.events import Event
from h2o_magic.messages import Conversation, Message, Turn, TurnStatus, system, user
from h2o_magic.parameters import resolve

__all__ = ["Answer", "NotebookSession"]


class NotebookSession:
    """One notebook's conversation with the models of a backend.

    Parameters
    ----------
    backend
        The server that answers. It may be replaced at any time (:attr:`backend`); the
        conversation stays.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._chat = uuid.uuid4().hex
        self._conversation = Conversation()
        self._lock = threading.Lock()

    @property
    def conversation(self) -> Conversation:
        """The turns so far, as a frozen value."""
        return self._conversation

    def ask(
        self,
        question: str,
        *,
        model: str,
        system_text: str = "",
        parameters: Mapping[str, object] | None = None,
        strict: bool = False,
        cell: str | None = None,
    ) -> Answer:
        """Ask `question` after the turns before it, and return the coming answer.

        Nothing is sent before the answer is iterated.

        Parameters
        ----------
        question
            The user's text; white space around it does not count.
        model
            Short name or id of the model.
        system_text
            Instruction to the model; empty for none.
        parameters
            Generation parameters by name; what is left out has its default.
        strict
            True: an error instead of an answer from demo weights.
        cell
            Id of the asking cell. Asking again under the same id replaces its turn.

        Raises
        ------
        ConfigurationError
            If the model's name is empty.
        MessagesError
            If the question is empty.
        ParameterError
            If a parameter is unknown or refused.
        """
        if not model.strip():
            raise ConfigurationError("expected the name of a model, got an empty one")
        if not question.strip():
            raise MessagesError("expected a question, got an empty one: write one")
        history = self._conversation.before(cell).messages()
        head: tuple[Message, ...] = (system(system_text),) if system_text else ()
        request = ChatRequest(
            chat=self._chat,
            model=model,
            messages=(*head, *history, user(question.strip())),
            parameters=resolve(parameters or {}),
            strict=strict,
        )
        turn = Turn(question.strip(), "", "failed", cell=cell, system=system_text)
        return Answer(self, request, turn)

    def reset(self) -> int:
        """Forget the conversation and return how many turns it had."""
        with self._lock:
            count, ended = len(self._conversation.turns), self._chat
            self._conversation = Conversation()
            self._chat = uuid.uuid4().hex
        self.backend.forget(ended)
        return count

    def close(self) -> None:
        """Give back what the backend holds. The conversation stays."""
        self.backend.close()

    def models(self) -> list[ModelInfo]:
        """Return what the server offers.

        Raises
        ------
        BackendError
            If the server does not answer.
        """
        return self.backend.models()

    def keep(self, chat: str, turn: Turn) -> None:
        """Put `turn` into the conversation, in its cell's place or at the end.

        A turn of another chat, one that was reset since, is dropped.
        """
        with self._lock:
            if chat == self._chat:
                self._conversation = self._conversation.with_turn(turn)


class Answer:
    """An answer that comes: iterate it once, then read its text and facts.

    Whatever ends the iteration, the text so far is kept as a turn of the session:
    complete, ``stopped`` (the iterator was closed or interrupted) or ``failed``.
    """

    def __init__(self, session: NotebookSession, request: ChatRequest, turn: Turn):
        self._session = session
        self._request = request
        self._turn = turn
        self._record = AnswerRecord(request.model, parameters=request.parameters)
        self._server = ""
        self._asked = False

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return self._record.text

    @property
    def facts(self) -> Facts:
        """What is known about the answer so far."""
        return replace(self._record.facts, server=self._server)

    def __iter__(self) -> Iterator[Event]:
        """Send the question and yield the answer's events.

        Raises
        ------
        BackendError
            If the answer does not come or breaks off.
        MisuseError
            If it was iterated before: that would ask again.
        """
        if self._asked:
            raise MisuseError("an answer can be iterated once: ask again for another")
        self._asked = True
        backend, request = self._session.backend, self._request
        self._record = AnswerRecord(request.model, parameters=request.parameters)
        status: TurnStatus = "failed"
        try:
            with _closing(backend.stream(request)) as events:
                for event in events:
                    self._server = self._server or backend.url
                    self._record.add(event)
                    yield event
            if not self._record.ended:
                raise IncompleteAnswerError(
                    "the answer ended without its final event", partial=self.text
                )
        except (GeneratorExit, KeyboardInterrupt):
            status = "stopped"
            raise
        finally:
            self._record.end(status)
            self._keep()

    def _keep(self) -> None:
        self._session.keep(
            self._request.chat,
            Turn(
                self._turn.question,
                self._record.text,
                self._record.facts.status,
                cell=self._turn.cell,
                system=self._turn.system,
            ),
        )


@contextmanager
def _closing(events: Iterator[Event]) -> Iterator[Iterator[Event]]:
    """Close the iterator, if it can be: that stops the server's work on an answer."""
    try:
        yield events
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
