"""Servers that speak the OpenAI dialect: ``POST /v1/chat/completions``.

Among them vLLM, Ollama, llama.cpp, text-generation-inference, h2oGPT, h2oGPTe, Ray
Serve, LM Studio, LiteLLM, FastChat, ``transformers serve``, and our own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from h2o_magic.backends import ChatRequest, ModelInfo
from h2o_magic.backends.answer_stream import AnswerStream
from h2o_magic.backends.arguments import check_kind, checked_messages, one_connection
from h2o_magic.backends.openai.advice import Asked, explained
from h2o_magic.backends.openai.calls import OpenAICalls
from h2o_magic.backends.openai.counting import count_tokens
from h2o_magic.backends.openai.flavour import Flavour, entries_of
from h2o_magic.backends.openai.models import model_of, models_of
from h2o_magic.backends.openai.turn import answer_events
from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.backends.telling import telling
from h2o_magic.messages import Message
from h2o_magic.transport import DEFAULT_TIMEOUTS, Cancellation, Endpoint, Timeouts

__all__ = ["OpenAIBackend"]


class OpenAIBackend:
    """An OpenAI-compatible server. It is told the whole context with each question.

    Parameters
    ----------
    url
        The server's address, with or without ``/v1``; a path before that is kept.
    token
        The key, sent as ``Authorization: Bearer``; None or an empty one is not sent.
    connection
        Instead of `url` and `token`, for this user's local server, which moves: called
        at the start of every request, and once more when the server is not reached.
    timeouts
        How long to wait, in seconds. ``first_byte`` is for the first text, too.
    patience
        How often to ask a busy server again, before the first text.

    Raises
    ------
    ConfigurationError
        If there is not exactly one of `url` and `connection`, or an argument cannot
        be used.
    """

    #: What detection and lists of servers call this protocol.
    dialect = "openai"

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        connection: Callable[[], Endpoint] | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        check_kind("timeouts", timeouts, Timeouts)
        check_kind("patience", patience, Patience)
        self._timeouts = timeouts
        self._patience = patience
        self._connection = one_connection(url, token or None, connection)
        self._moves = connection is not None
        self._lock = threading.Lock()
        self._endpoint: Endpoint | None = None
        self._calls: OpenAICalls | None = None

    @property
    def url(self) -> str:
        """The server's address; asked for if nothing was sent to it yet."""
        calls = self._calls
        return calls.url if calls else self._connection().url

    def stream(self, request: ChatRequest) -> AnswerStream:
        """Yield the answer as it comes, ending with one `Finished` event.

        Closing the iterator, from any thread, closes the connection, which stops the
        server.

        Raises
        ------
        MessagesError
            At once, if the messages do not end with a question.
        ParameterError
            If the server cannot be told a parameter that somebody set; the question
            is not sent then.
        BackendError
            If the answer does not come or breaks off; text that came is in
            ``partial``.
        """
        checked_messages(request.messages)
        cancellation = Cancellation()
        events = answer_events(
            self._connect, request, patience=self._patience, cancellation=cancellation
        )
        return AnswerStream(events, cancellation)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers; nothing where its list is empty.

        Raises
        ------
        BackendError
            If it does not say.
        """
        calls = self._connect()
        with telling(partial(explained, asked=Asked(calls.url))):
            return calls.models(read=models_of)

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says of one model; None if nothing.

        Parameters
        ----------
        name
            The model's name; empty for the one that answers where nobody chose one,
            which is told by servers of this package, once it is known what they are.

        Raises
        ------
        BackendError
            If it is not reached, or a server of this package has no such model.
        """
        calls = self._connect()
        if calls.known_flavour != "h2o_magic":
            found = self.models() if name else []
            return next((m for m in found if m.name == name), None)
        with telling(partial(explained, asked=Asked(calls.url, name))):
            document = calls.model(name or "default")
        return next(map(model_of, entries_of([document])), None)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """Return how many tokens the model would read of `messages`.

        Returns
        -------
        int or None
            None if the server has no call for that: all but vLLM, llama.cpp and
            servers of this package.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses these.
        """
        calls = self._connect()
        with telling(partial(explained, asked=Asked(calls.url, model))):
            return count_tokens(calls, model, messages)

    def forget(self, chat: str) -> None:
        """Do nothing: neither this nor the server keeps anything of a chat."""

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            calls, self._calls = self._calls, None
        if calls is not None:
            calls.close()

    def _connect(self, lost: bool = False) -> OpenAICalls:
        """Return the way to the server; `lost` if the last one led to nobody."""
        with self._lock:
            endpoint, calls = self._connection(), self._calls
            if calls is None or endpoint != self._endpoint or (lost and self._moves):
                if calls is not None:
                    calls.close()
                flavour: Flavour | None = "h2o_magic" if self._moves else None
                calls = OpenAICalls(
                    endpoint.url, endpoint.token, self._timeouts, flavour
                )
                self._endpoint, self._calls = endpoint, calls
            return calls
