"""Servers that speak the OpenAI dialect: ``POST /v1/chat/completions``.

Among them vLLM, Ollama, llama.cpp, text-generation-inference, h2oGPT, h2oGPTe, Ray
Serve, LM Studio, LiteLLM, FastChat, ``transformers serve``, and our own.
"""

from __future__ import annotations

from collections.abc import Sequence

from h2o_magic.backends import ChatRequest, ModelInfo
from h2o_magic.backends.answer_stream import AnswerStream
from h2o_magic.backends.arguments import check_kind, checked_messages
from h2o_magic.backends.openai.advice import Asked, explained
from h2o_magic.backends.openai.calls import OpenAICalls
from h2o_magic.backends.openai.counting import count_tokens
from h2o_magic.backends.openai.models import models_of
from h2o_magic.backends.openai.turn import answer_events
from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.endpoint import check_base_url
from h2o_magic.errors import BackendError
from h2o_magic.messages import Message
from h2o_magic.transport import DEFAULT_TIMEOUTS, Cancellation, Timeouts

__all__ = ["OpenAIBackend"]


class OpenAIBackend:
    """An OpenAI-compatible server. It is told the whole context with each question.

    Parameters
    ----------
    url
        The server's address, with or without ``/v1``; a path before that is kept.
    token
        The key, sent as ``Authorization: Bearer``; None or an empty one is not sent.
    timeouts
        How long to wait, in seconds. ``first_byte`` is for the first text, too.
    patience
        How often to ask a busy server again, before the first text.

    Raises
    ------
    ConfigurationError
        If an argument cannot be used.
    """

    #: What detection and lists of servers call this protocol.
    dialect = "openai"

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        check_kind("timeouts", timeouts, Timeouts)
        check_kind("patience", patience, Patience)
        self._calls = OpenAICalls(check_base_url(url), token, timeouts)
        self._patience = patience

    @property
    def url(self) -> str:
        """The server's address, as it was given."""
        return self._calls.url

    def stream(self, request: ChatRequest) -> AnswerStream:
        """Yield the answer as it comes, ending with one `Finished` event.

        Closing the iterator, from any thread, closes the connection, which stops the
        server.

        Raises
        ------
        MessagesError
            At once, if the messages do not end with a question.
        ParameterError
            If the server cannot be told a parameter that the user chose; the question
            is not sent then.
        BackendError
            If the answer does not come or breaks off; text that came is in
            ``partial``.
        """
        checked_messages(request.messages)
        cancellation = Cancellation()
        events = answer_events(
            self._calls, request, patience=self._patience, cancellation=cancellation
        )
        return AnswerStream(events, cancellation)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers; nothing where its list is empty.

        Raises
        ------
        BackendError
            If it does not say.
        """
        try:
            return models_of(self._calls.models())
        except BackendError as error:
            raise explained(error, Asked(self.url)) from error

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
        try:
            return count_tokens(self._calls, model, messages)
        except BackendError as error:
            raise explained(error, Asked(self.url, model)) from error

    def forget(self, chat: str) -> None:
        """Do nothing: neither this nor the server keeps anything of a chat."""

    def close(self) -> None:
        """Close the idle connections."""
        self._calls.close()
