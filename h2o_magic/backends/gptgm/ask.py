"""One question to a gpt-gm server: a conversation of its own, deleted afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.backends.ask import read
from h2o_magic.backends.gptgm.api import Created, GptGmCalls
from h2o_magic.backends.gptgm.errors import Repairs, explained, terms_missing
from h2o_magic.backends.gptgm.parser import AnswerReader, Interpreter
from h2o_magic.backends.http import Cancellation
from h2o_magic.backends.retry import DEFAULT_PATIENCE, Patience
from h2o_magic.chat.events import Event, Finished
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameter import Value
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    ParameterError,
    ProtocolError,
    StatusError,
)

_INSTRUCTION = (
    "This is a conversation between a user and an AI assistant. Respond to the latest "
    "message, and refer to the earlier ones where needed."
)


def conversation_text(messages: Sequence[Message]) -> str:
    r"""Return all messages as one text, as the original gpt-gm client packed them.

    Nothing is escaped: a content with ``\nassistant: `` in it looks like another turn.
    """
    lines = [f"{message.role}: {message.content}" for message in messages]
    return "\n".join([_INSTRUCTION, *lines, "assistant:"])


def first_turn_text(messages: Sequence[Message]) -> str:
    """Return all messages as one text, a single question as it is.

    A system text goes before it: the protocol has no other place for that.
    """
    match list(messages):
        case [Message(content=question)]:
            return question
        case [Message(role="system", content=text), Message(content=question)]:
            return f"{text}\n\n{question}"
        case several:
            return conversation_text(several)


def options(
    *,
    id: object = None,  # noqa: A002 - its name in the protocol
    response_id: object = None,
    is_retry: bool = False,
    use_cache: bool = False,
    web_search_id: str = "",
    strict: bool = False,
) -> dict[str, Any]:
    """Return the ``options`` of a question; None for an id makes a new one.

    Raises
    ------
    ParameterError
        If an id is not a UUID.
    """
    return {
        "id": _checked_uuid("id", id),
        "response_id": _checked_uuid("response_id", response_id),
        "is_retry": is_retry,
        "use_cache": use_cache,
        "web_search_id": web_search_id,
        **({"strict": True} if strict else {}),
    }


def _checked_uuid(name: str, value: object) -> str:
    try:
        return str(uuid.uuid4() if value is None else uuid.UUID(str(value)))
    except ValueError:
        raise ParameterError(f"`{name}` must be a UUID, got {value!r}") from None


@dataclass
class GptGmQuestion:
    """One question, and how it is asked; nothing of it stays on the server."""

    model: str  # its id
    messages: tuple[Message, ...]
    parameters: Mapping[str, Value]
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None  # only for servers that can use it
    pack: Callable[[Sequence[Message]], str] = first_turn_text  # without a history
    patience: Patience = DEFAULT_PATIENCE

    def __post_init__(self) -> None:
        self._repairs = Repairs(self.patience)
        self._failure: BackendError | None = None
        self._naming = False  # whether the request under way names the model

    def answer(
        self, calls: GptGmCalls, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        """Make a conversation, ask in it, yield the answer, and delete it."""
        self._naming = True
        if terms_missing(self._failure):
            calls.forget_terms()
        calls.accept_terms(self.model, cancellation)
        created = calls.create(self.model, self.messages[:-1], cancellation)
        self._naming = False
        writing = False  # whether the server may be writing the answer
        try:
            if created.source is not None:
                held = created.source.schema and self.schema is not None
                yield replace(created.source, schema=held)
            document = self._document(created)
            stop = self.parameters.get("stop", ())
            interpreter = Interpreter(
                question=self.messages[-1].content,
                stop=stop if isinstance(stop, tuple) else (),
                full_text=self.parameters.get("return_full_text") is True,
            )
            reader = AnswerReader(interpreter)
            writing = True  # closing the connection does not stop it
            with calls.generate(created.id, document, cancellation) as reply:
                for event in read(reply, reader, interpreter, calls.timeouts):
                    writing = not isinstance(event, Finished)
                    yield event
        except (GenerationError, ProtocolError, StatusError):
            writing = False  # the server has ended the answer itself
            raise
        finally:
            calls.drop(created.id, stop=writing)

    def retry_after(self, error: BackendError) -> float | None:
        """Return the seconds after which to ask again; None to give up."""
        self._failure = error
        return self._repairs.after(error)

    def explained(self, error: BackendError, calls: GptGmCalls) -> BackendError:
        """Return `error` with advice."""
        return explained(error, url=calls.url, model=self.model, naming=self._naming)

    def _document(self, created: Created) -> dict[str, Any]:
        """Return the body of ``POST /conversation/{id}``."""
        options = dict(self.options)
        if self.schema is not None and created.source and created.source.schema:
            options["json_schema"] = dict(self.schema)
        if isinstance(self._failure, StatusError) and self._failure.status == 503:
            options["wait_for_model"] = True
        alone = self.messages[-1].content
        return {
            "inputs": alone if created.has_history else self.pack(self.messages),
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.parameters.items()
            },
            "stream": True,
            "options": options,
        }
