"""`create_completion`: one call, one answer, as the original gpt-gm provider had it."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Literal, overload

from h2o_magic.backends.gptgm_calls import GptGmCalls
from h2o_magic.backends.gptgm_prompt import conversation_text
from h2o_magic.backends.gptgm_repairs import DEFAULT_PATIENCE, Patience
from h2o_magic.backends.gptgm_seat import Question, Seat
from h2o_magic.backends.gptgm_turn import answer_events
from h2o_magic.catalogue import find_model
from h2o_magic.errors import ConfigurationError, ParameterError
from h2o_magic.events import Event, Finished, TextDelta
from h2o_magic.messages import Message, parse_messages
from h2o_magic.nearest import did_you_mean
from h2o_magic.parameters import PARAMETERS, resolve
from h2o_magic.transport import DEFAULT_TIMEOUTS, Cancellation, Endpoint, Timeouts

__all__ = ["create_completion"]

_OPTIONS = (
    "base_url",
    "id",
    "is_retry",
    "patience",
    "response_id",
    "share",
    "timeouts",
    "token",
    "use_cache",
    "web_search_id",
)

Messages = Iterable[Message | Mapping[str, Any]]


@overload
def create_completion(
    model: str, messages: Messages, stream: Literal[True] = True, **kwargs: Any
) -> Iterator[str]: ...


@overload
def create_completion(
    model: str, messages: Messages, stream: Literal[False], **kwargs: Any
) -> str: ...


@overload
def create_completion(
    model: str, messages: Messages, stream: bool, **kwargs: Any
) -> Iterator[str] | str: ...


def create_completion(
    model: str,
    messages: Messages,
    stream: bool = True,
    *,
    base_url: str | None = None,
    token: str | None = None,
    share: bool = False,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    patience: Patience = DEFAULT_PATIENCE,
    id: str | uuid.UUID | None = None,  # noqa: A002 - its name in the protocol
    response_id: str | uuid.UUID | None = None,
    is_retry: bool = False,
    use_cache: bool = False,
    web_search_id: str = "",
    **parameters: Any,
) -> Iterator[str] | str:
    """Ask a gpt-gm server and return its answer.

    A new server conversation is made for each call and deleted after it. The arguments
    are checked at once; the server is asked when the first token is.

    Parameters
    ----------
    model
        Short name (``"llama-13b"``, ``"falcon-7b"``, ``"falcon-40b"``) or the id that
        the server knows.
    messages
        Mappings with ``role`` (system, user, assistant) and ``content``, oldest first;
        the last one is the user's question. Servers of this package get them as they
        are; others get one text made of them.
    stream
        True: an iterator of tokens as they arrive. False: the whole text.
    base_url
        The server's address; None is this user's local server, which is started if it
        does not run.
    token
        Sent as ``Authorization: Bearer`` to `base_url`.
    share
        True lets the server share the conversation with the models' authors.
    timeouts
        How long to wait, in seconds.
    patience
        How often to ask a busy server again, before the first token.
    id, response_id
        UUIDs under which the server stores question and answer; None makes new ones.
    is_retry
        True replaces the stored question `id` and what follows it.
    use_cache
        True lets the engine answer from its cache.
    web_search_id
        Id of a finished web search on the server, whose summary the model is to read.
    **parameters
        Generation parameters of :data:`h2o_magic.parameters.PARAMETERS`, among them
        ``temperature`` (0.4), ``truncate`` (2048 tokens), ``max_new_tokens`` (1024
        tokens), ``do_sample`` (True), ``repetition_penalty`` (1.2) and
        ``return_full_text`` (False; the prompt is then before the whole text, never
        among the tokens). None leaves one to the server.

    Returns
    -------
    iterator of str, or str
        The tokens; closing the iterator early stops the server. With ``stream=False``
        the whole text.

    Raises
    ------
    ParameterError
        If an argument is unknown (the message names the nearest) or refused.
    MessagesError
        If the messages are none that a server would accept.
    BackendError
        While iterating, or at once with ``stream=False``: if the answer does not come.
        One that ends without its final event is an ``IncompleteAnswerError``, after
        its tokens; the text so far is in ``partial``.
    """
    _refuse_unknown(parameters)
    if base_url is None and token is not None:
        raise ConfigurationError("a token belongs to a server: give base_url with it")
    endpoint = None if base_url is None else Endpoint(base_url, token)
    question = Question(
        model=_service_id(model),
        messages=parse_messages(messages),
        parameters=resolve(parameters),
        options={
            "id": _uuid("id", id),
            "response_id": _uuid("response_id", response_id),
            "is_retry": _typed("is_retry", is_retry, bool),
            "use_cache": _typed("use_cache", use_cache, bool),
            "web_search_id": _typed("web_search_id", web_search_id, str),
        },
    )
    session = _OneSession(endpoint, share=share, timeouts=timeouts)
    events = _events(session, question, patience)
    return _tokens(events) if stream else _whole(events)


class _OneSession:
    """The server session of one call, made when it is needed."""

    def __init__(
        self, endpoint: Endpoint | None, *, share: bool, timeouts: Timeouts
    ) -> None:
        self._endpoint = endpoint
        self._share = share
        self._timeouts = timeouts
        self._calls: GptGmCalls | None = None

    def connect(self, again: bool) -> GptGmCalls:
        if self._calls is None or again:
            self.close()
            self._calls = GptGmCalls(
                self._endpoint or _local_server(),
                share=self._share,
                timeouts=self._timeouts,
            )
            self._calls.open_page()
        return self._calls

    def close(self) -> None:
        if self._calls is not None:
            self._calls.close()


def _events(
    session: _OneSession, question: Question, patience: Patience
) -> Generator[Event, None, None]:
    cancellation = Cancellation()
    seat = Seat(
        question,
        session.connect,
        pack=conversation_text,
        cancellation=cancellation,
        always_offer=True,
    )
    try:
        yield from answer_events(
            seat,
            question,
            patience=patience,
            cancellation=cancellation,
            stored=lambda _: None,
        )
    finally:
        for place in seat.places:
            place.calls.delete(place.conversation)
        session.close()


def _tokens(events: Generator[Event, None, None]) -> Iterator[str]:
    try:
        for event in events:
            if isinstance(event, TextDelta):
                yield event.text
    finally:
        events.close()


def _whole(events: Generator[Event, None, None]) -> str:
    *_, last = events
    return last.text if isinstance(last, Finished) else ""


def _refuse_unknown(parameters: Mapping[str, object]) -> None:
    known = (*PARAMETERS, *_OPTIONS)
    for name in parameters:
        if name not in known:
            raise ParameterError(
                f"unknown argument {name!r}: {did_you_mean(name, known)}"
            )


def _service_id(model: object) -> str:
    if not isinstance(model, str) or not model.strip():
        raise ParameterError(f"expected the name of a model, got {model!r}")
    known = find_model(model)
    return known.service_id if known else model


def _uuid(name: str, value: str | uuid.UUID | None) -> str:
    try:
        return str(uuid.uuid4() if value is None else uuid.UUID(str(value)))
    except ValueError:
        raise ParameterError(f"`{name}` must be a UUID, got {value!r}") from None


def _typed(name: str, value: object, kind: type) -> object:
    if not isinstance(value, kind):
        raise ParameterError(f"`{name}` must be a {kind.__name__}, got {value!r}")
    return value


def _local_server() -> Endpoint:
    from h2o_magic.embedded import locate  # noqa: PLC0415 - only when it is needed

    return locate()
