"""Answers the session's requests by the gpt-gm protocol."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from h2o_magic.backends.arguments import check_kind
from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.backends.error_advice import telling
from h2o_magic.backends.gptgm.api import GptGmCalls
from h2o_magic.backends.gptgm.ask import GptGmQuestion, options
from h2o_magic.backends.gptgm.errors import explained
from h2o_magic.backends.gptgm.models import count_tokens, list_models, service_id
from h2o_magic.backends.http import Endpoint
from h2o_magic.backends.http_backend import HttpBackend
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameters import resolve


class GptGmBackend(HttpBackend[GptGmCalls]):
    """A gpt-gm server, which gets a new conversation for each question.

    Parameters
    ----------
    share
        True lets the server share the conversations with the models' authors.
    **options
        Those of :class:`.http_backend.HttpBackend`.
    """

    dialect = "gpt-gm"

    def __init__(
        self, url: str | None = None, *, share: bool = False, **options: Any
    ) -> None:
        check_kind("share", share, bool)
        self._share = share
        super().__init__(url, **options)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers, or the known models if it has no list.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses to answer.
        """
        calls = self.connect()
        with telling(partial(explained, url=calls.url)):
            return list_models(calls)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """Return how many tokens the model would read of `messages`.

        Returns
        -------
        int or None
            None if the server is none of this package, which alone can count.

        Raises
        ------
        BackendError
            If the server is not reached, or cannot count these.
        """
        calls, named = self.connect(), service_id(model)
        with telling(partial(explained, url=calls.url, model=named)):
            return count_tokens(calls, named, messages)

    def _open(self, endpoint: Endpoint) -> GptGmCalls:
        return GptGmCalls(endpoint, share=self._share, timeouts=self._timeouts)

    def _question(self, request: ChatRequest) -> GptGmQuestion:
        return GptGmQuestion(
            model=service_id(request.model),
            messages=request.messages,
            parameters={**resolve(request.parameters), "details": True},
            options=options(strict=request.strict),
            schema=request.schema,
            patience=self._patience,
        )
