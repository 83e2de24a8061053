"""`create_completion`: one call, one answer, as the original gpt-gm provider had it."""

from __future__ import annotations

import inspect
import os
import uuid
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Literal, overload

from h2o_magic.backends.ask import AnswerStream, ask
from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.gptgm.ask import GptGmQuestion, conversation_text, options
from h2o_magic.backends.gptgm.backend import GptGmBackend
from h2o_magic.backends.gptgm.models import service_id
from h2o_magic.backends.http import DEFAULT_TIMEOUTS, Endpoint, Timeouts
from h2o_magic.backends.http_backend import Messages, check_types, checked_messages
from h2o_magic.backends.local import locate
from h2o_magic.backends.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from h2o_magic.chat.events import Event, Finished, Source, TextDelta
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.models import title_of
from h2o_magic.config.parameters import PARAMETERS, resolve
from h2o_magic.config.replay import in_environment
from h2o_magic.errors import (
    ConfigurationError,
    DemoWeightsWarning,
    ParameterError,
    did_you_mean,
)

_warned: set[str] = set()  # the models about which this process was warned


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
    retry: RetryPolicy = DEFAULT_RETRY_POLICY,
    id: str | uuid.UUID | None = None,  # noqa: A002 - its name in the protocol
    response_id: str | uuid.UUID | None = None,
    is_retry: bool = False,
    use_cache: bool = False,
    web_search_id: str = "",
    strict: bool = False,
    replay: str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> Iterator[str] | str:
    """Ask a gpt-gm server and return its answer.

    A new server conversation is made for each call and deleted after it. The arguments
    are checked at once; the request is sent when the first token is read.

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
    retry
        How often to ask a busy server again, before the first token.
    id, response_id
        UUIDs under which the server stores question and answer; None makes new ones.
    is_retry
        True replaces the stored question `id` and what follows it; since every call
        makes a conversation of its own, this has no effect on most servers.
    use_cache
        True allows the engine to answer from its cache.
    web_search_id
        Id of a finished web search on the server, whose summary the model is to read.
    strict
        True asks the server to refuse rather than to answer from demo weights. Without
        it, built-in demo weights may answer in place of a model that is not installed,
        with a `DemoWeightsWarning` once for each model.
    replay
        Whether an answer that is stored is used, and the folder that has it: ``off``,
        ``on``, ``only``, ``refresh``, ``"answers/"`` (below the current folder) or
        ``"only answers/"``. What it leaves open is as in ``H2O_MAGIC_REPLAY``, or off.
    **parameters
        Generation parameters of `h2o_magic.config.parameters.PARAMETERS`, among them
        ``temperature`` (0.4), ``truncate`` (2048 tokens), ``max_new_tokens`` (1024
        tokens), ``do_sample`` (True), ``repetition_penalty`` (1.2) and
        ``return_full_text`` (False; True puts the prompt before the whole text, never
        among the tokens). None selects the server's default.

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
        If no server would accept the messages.
    ConfigurationError
        If the address or the token cannot be used.
    BackendError
        While iterating, or at once with ``stream=False``: if the answer does not come.
        One that ends without its final event is an ``IncompleteAnswerError``, after
        its tokens; the text so far is in ``partial``.
    """
    _check_names(parameters)
    check_types(bool, stream=stream, is_retry=is_retry, use_cache=use_cache)
    check_types(bool, strict=strict)
    check_types(str, web_search_id=web_search_id)
    choice = in_environment(replay, os.environ)
    if base_url is None and token is not None:
        raise ConfigurationError("expected base_url with the token, got None")
    backend = GptGmBackend(
        base_url,
        token=token,
        connection=_local_server if base_url is None else None,
        share=share,
        timeouts=timeouts,
        retry=retry,
    )
    question = GptGmQuestion(
        model=service_id(model),
        messages=checked_messages(messages),
        parameters=resolve(parameters),
        options=options(
            id=id,
            response_id=response_id,
            is_retry=is_retry,
            use_cache=use_cache,
            web_search_id=web_search_id,
            strict=strict,
        ),
        pack=conversation_text,
        retry=retry,
    )
    request = _request(question, strict=strict)
    server: Backend = _OneQuestion(backend, question)
    if choice.mode != "off":
        from h2o_magic.backends.replay.program import replaying  # noqa: PLC0415 - few do

        server = replaying(choice, server, base_url or LOCAL, token)
    events = _events(backend, server, request)
    if stream:
        return _tokens(events)
    *_, last = events
    return last.text if isinstance(last, Finished) else ""


def _check_names(names: Iterable[str]) -> None:
    own = inspect.signature(create_completion).parameters.values()
    known = (*PARAMETERS, *(p.name for p in own if p.kind is p.KEYWORD_ONLY))
    for name in names:
        if name not in known:
            nearest = did_you_mean(name, known)
            raise ParameterError(f"unknown argument {name!r}: {nearest}")


class _OneQuestion(Backend):
    """A server that is asked one question, as it was made."""

    def __init__(self, backend: GptGmBackend, question: GptGmQuestion) -> None:
        self._backend = backend
        self._question = question

    @property
    def url(self) -> str:
        return self._backend.url

    def models(self) -> list[ModelInfo]:
        return self._backend.models()

    def stream(self, _request: ChatRequest) -> AnswerStream:
        return ask(self._question, self._backend.connect)


def _request(question: GptGmQuestion, *, strict: bool) -> ChatRequest:
    """Return what is asked, as stored answers are found by it; the ids do not count."""
    asked = {**question.options, "create_completion": True}
    options = {name: asked[name] for name in asked if name not in ("id", "response_id")}
    return ChatRequest(
        question.model, question.messages, {**question.parameters, **options}, strict
    )


def _events(
    backend: GptGmBackend, server: Backend, request: ChatRequest
) -> Generator[Event, None, None]:
    """Yield an answer; warn once for each model whose own weights do not answer."""
    demo = warning = ""
    with closing(backend), closing(server.stream(request)) as events:  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Source):
                demo = event.stands_in_for or (event.model if event.demo else "")
                warning = _warning(event)
            elif demo and demo not in _warned:
                # The caller is above `create_completion`, or `_tokens`.
                warnings.warn(warning, DemoWeightsWarning, stacklevel=3)
                _warned.add(demo)
            yield event


def _warning(source: Source) -> str:
    asked = source.stands_in_for or source.model
    what = title_of(source.model) if source.stands_in_for else "built-in demo weights"
    return (
        f"{what} answered: {asked} is not installed; `h2o-magic pull {asked}` "
        "downloads it, strict=True makes this an error"
    )


def _tokens(events: Generator[Event, None, None]) -> Iterator[str]:
    with closing(events):
        for event in events:
            if isinstance(event, TextDelta):
                yield event.text


def _local_server() -> Endpoint:
    return locate.find_or_start()
