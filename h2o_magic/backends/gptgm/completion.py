"""`create_completion`: one call, one answer, as the original gpt-gm provider had it."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Literal, overload

from h2o_magic.backends.arguments import Messages, check_kinds, checked_messages
from h2o_magic.backends.gptgm.arguments import checked_uuid, refuse_unknown, service_id
from h2o_magic.backends.gptgm.calls import GptGmCalls
from h2o_magic.backends.gptgm.demo import with_demo_warning
from h2o_magic.backends.gptgm.prompt import conversation_text
from h2o_magic.backends.gptgm.seat import Question, Seat
from h2o_magic.backends.gptgm.turn import answer_events
from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.errors import ConfigurationError
from h2o_magic.events import Event, Finished, TextDelta
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
    "strict",
    "timeouts",
    "token",
    "use_cache",
    "web_search_id",
)


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
    strict: bool = False,
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
        True replaces the stored question `id` and what follows it. Since every call
        makes a conversation of its own, it has no effect unless the server knows the
        `id` all the same.
    use_cache
        True lets the engine answer from its cache.
    web_search_id
        Id of a finished web search on the server, whose summary the model is to read.
    strict
        True asks the server to refuse rather than to answer from demo weights. Without
        it, built-in demo weights may answer in the model's name where its own are not
        there; that is told by a `DemoWeightsWarning`, once for each model.
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
    ConfigurationError
        If the address or the token cannot be used.
    BackendError
        While iterating, or at once with ``stream=False``: if the answer does not come.
        One that ends without its final event is an ``IncompleteAnswerError``, after
        its tokens; the text so far is in ``partial``.
    """
    refuse_unknown(parameters, (*PARAMETERS, *_OPTIONS))
    check_kinds(bool, stream=stream, share=share, strict=strict)
    check_kinds(bool, is_retry=is_retry, use_cache=use_cache)
    check_kinds(str, web_search_id=web_search_id)
    check_kinds(Timeouts, timeouts=timeouts)
    check_kinds(Patience, patience=patience)
    if base_url is None and token is not None:
        raise ConfigurationError("a token belongs to a server: give base_url with it")
    endpoint = None if base_url is None else Endpoint(base_url, token)
    question = Question(
        model=service_id(model),
        messages=checked_messages(messages),
        parameters=resolve(parameters),
        options={
            "id": checked_uuid("id", id),
            "response_id": checked_uuid("response_id", response_id),
            "is_retry": is_retry,
            "use_cache": use_cache,
            "web_search_id": web_search_id,
            **({"strict": True} if strict else {}),
        },
    )
    session = _OneSession(endpoint, share=share, timeouts=timeouts)
    answer = _events(session, question, patience)
    # The caller is two calls above the warning: above this function, or `_tokens`.
    events = with_demo_warning(answer, stacklevel=3)
    return _tokens(events) if stream else _text_of([*events])


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
                page_first=True,
            )
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


def _text_of(events: Sequence[Event]) -> str:
    last = events[-1] if events else None
    return last.text if isinstance(last, Finished) else ""


def _local_server() -> Endpoint:
    from h2o_magic.embedded import locate  # noqa: PLC0415 - only when it is needed

    return locate()
