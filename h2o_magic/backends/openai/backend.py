"""Servers that speak the OpenAI dialect: ``POST /v1/chat/completions``.

Among them vLLM, Ollama, llama.cpp, text-generation-inference, h2oGPT, h2oGPTe, Ray
Serve, LM Studio, LiteLLM, FastChat, ``transformers serve``, and our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.backends.error_advice import telling
from h2o_magic.backends.http import Endpoint
from h2o_magic.backends.http_backend import HttpBackend
from h2o_magic.backends.openai.api import OpenAICalls
from h2o_magic.backends.openai.ask import OpenAIQuestion
from h2o_magic.backends.openai.counting import count_tokens
from h2o_magic.backends.openai.errors import Asked, explained
from h2o_magic.backends.openai.flavour import Flavour, entries_of
from h2o_magic.backends.openai.models import model_of, models_of
from h2o_magic.chat.messages import Message


class OpenAIBackend(HttpBackend[OpenAICalls]):
    """An OpenAI-compatible server; its address has ``/v1`` at its end, or not.

    The parameters are those of :class:`.http_backend.HttpBackend`.
    """

    #: What detection and lists of servers call this protocol.
    dialect = "openai"

    def models(self) -> list[ModelInfo]:
        """Return what the server offers; nothing where its list is empty.

        Raises
        ------
        BackendError
            If it does not say.
        """
        calls = self.connect()
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
        calls = self.connect()
        if calls.known_flavour != "h2o_magic":
            return super().model(name)
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
        calls = self.connect()
        with telling(partial(explained, asked=Asked(calls.url, model))):
            return count_tokens(calls, model, messages)

    def _open(self, endpoint: Endpoint) -> OpenAICalls:
        flavour: Flavour | None = "h2o_magic" if self._moves else None
        return OpenAICalls(endpoint.url, endpoint.token, self._timeouts, flavour)

    def _question(self, request: ChatRequest) -> OpenAIQuestion:
        return OpenAIQuestion(request, self._patience)
