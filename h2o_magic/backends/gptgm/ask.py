"""One question to a gpt-gm server, in a conversation of its own; what failures mean."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.backends.error_advice import (
    COMMON,
    Row,
    is_final,
    message_of,
    refusal_message,
)
from h2o_magic.backends.gptgm.api import Created, GptGmClient
from h2o_magic.backends.gptgm.parser import GptGmParser
from h2o_magic.backends.http import Cancellation
from h2o_magic.backends.http.rate_limit import rate_limit
from h2o_magic.backends.retry import (
    BUSY_STATUSES,
    DEFAULT_RETRY_POLICY,
    RetryPolicy,
    requested_wait,
)
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
# The failures are those of chat-ui of June 2023 and text-generation-inference 0.9.
# Not 500, which chat-ui of 2023 also says of a model that it does not know; a question
# in a conversation has one that it knows.
_BUSY_STATUSES = {429, *BUSY_STATUSES} - {500}
_ADVICE: tuple[Row, ...] = (
    (403, "referer", "the server has another address; connect to that one"),
    (404, "conversation not found", "the server does not keep its conversations"),
    (405, "modal", "the server does not keep its sessions; its log may say why"),
    (422, "", ""),
    (424, "", ""),
    *COMMON,
)
# What chat-ui says about a model that it does not know, and about much else.
_NO_WORDS = (500, "Internal Error")
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


def conversation_text(messages: Sequence[Message]) -> str:
    r"""Return all messages as one text, as the original gpt-gm client packed them.

    Nothing is escaped: a content with ``\nassistant: `` in it looks like another turn.
    """
    lines = [f"{message.role}: {message.content}" for message in messages]
    return "\n".join([_INSTRUCTION, *lines, "assistant:"])


def first_turn_text(messages: Sequence[Message]) -> str:
    """Return all messages as one text; the protocol has no place for a system text."""
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


#: A conversation of which nothing is known.
_UNKNOWN = Created("", has_history=False)


@dataclass
class GptGmQuestion:
    """One question, and how it is asked; nothing of it stays on the server."""

    model: str  # its id
    messages: tuple[Message, ...]
    parameters: Mapping[str, Value]
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None  # only for servers that support it
    pack: Callable[[Sequence[Message]], str] = first_turn_text  # without a history
    retry: RetryPolicy = DEFAULT_RETRY_POLICY
    for_rows: bool = False

    def __post_init__(self) -> None:
        self._failure: BackendError | None = None
        self._busy = 0  # how often the server was
        self._repaired: set[str] = set()
        self._names_model = True  # whether the request under way does

    def answer(
        self, client: GptGmClient, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        self._names_model = True
        if _terms_missing(self._failure):
            client.forget_terms()
        client.accept_terms(self.model, cancellation)
        created = client.create(self.model, self.messages[:-1], cancellation)
        self._names_model = False
        writing = False  # whether the server may be writing the answer
        try:
            if created.source is not None:
                enforced = created.source.schema and self.schema is not None
                yield replace(created.source, schema=enforced)
            document = self.document(created)
            stop = self.parameters.get("stop", ())
            parser = GptGmParser(
                question=self.messages[-1].content,
                stop=stop if isinstance(stop, tuple) else (),
                full_text=self.parameters.get("return_full_text") is True,
            )
            writing = True  # closing the connection does not stop it
            with client.generate(created.id, document, cancellation) as reply:
                if self.for_rows and (limit := rate_limit(reply.headers)):
                    yield limit
                for event in parser.read(reply, client.timeouts):
                    writing = not isinstance(event, Finished)
                    yield event
        except (GenerationError, ProtocolError, StatusError):
            writing = False  # the server has ended the answer itself
            raise
        finally:
            if not cancellation.inherited:
                client.drop(created.id, stop=writing)

    def retry_after(self, error: BackendError) -> float | None:
        """Return when to ask again: once for each repair, a busy server as `retry`."""
        self._failure = error
        # Where the request names the model, 500 may be about that.
        failed = isinstance(error, StatusError) and error.status == 500
        if _is_busy(error) or (failed and not self._names_model):
            self._busy += 1
            return self.retry.delay(self._busy, error)
        repair = _repair_for(error)
        if repair is None or repair in self._repaired:
            return None
        self._repaired.add(repair)
        return 0.0

    def explain(self, error: BackendError, client: GptGmClient) -> str:
        return explain(
            error, url=client.url, model=self.model, names_model=self._names_model
        )

    def document(self, created: Created = _UNKNOWN) -> dict[str, Any]:
        """Return the body of the question, by what creating the conversation said."""
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


def _is_busy(error: BackendError) -> bool:
    if isinstance(error, GenerationError):
        return error.error_type == "overloaded"
    if not isinstance(error, StatusError) or error.status not in _BUSY_STATUSES:
        return False
    if is_final(error.server_message):
        return False
    waits = requested_wait(error) is not None or "overloaded" in error.server_message
    return error.status != 429 or waits


def _repair_for(error: BackendError) -> str | None:
    if _terms_missing(error):
        return "terms"
    failed = isinstance(error, GenerationError) and error.error_type == "generation"
    if failed or (isinstance(error, StatusError) and error.status == 424):
        return "generation"
    return None


def _terms_missing(error: BackendError | None) -> bool:
    return (
        isinstance(error, StatusError)
        and error.status == 405
        and "modal" in error.server_message.lower()
    )


def explain(
    error: BackendError, *, url: str, model: str = "", names_model: bool = False
) -> str:
    """Return an error's message; `names_model` if the request named the model."""

    def refusal(error: StatusError) -> str:
        if names_model and (error.status, error.server_message) == _NO_WORDS:
            hint = f"it may not have the model {model!r}; see what it offers"
            return f"{error}: {hint}"
        facts = {"url": url, "model": model, "kind": "gpt-gm server"}
        return refusal_message(error, _ADVICE, usual_wait=_USUAL_WAIT, **facts)

    return message_of(error, refusal)
