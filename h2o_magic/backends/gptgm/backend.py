"""Answers the session's requests by the gpt-gm protocol."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.backends.error_advice import explaining_errors
from h2o_magic.backends.gptgm.api import GptGmClient
from h2o_magic.backends.gptgm.ask import GptGmQuestion, options
from h2o_magic.backends.gptgm.errors import explain
from h2o_magic.backends.gptgm.models import count_tokens, list_models, service_id
from h2o_magic.backends.http import Endpoint
from h2o_magic.backends.http_backend import HttpBackend, check_types
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameters import resolve


class GptGmBackend(HttpBackend[GptGmClient]):
    """A gpt-gm server, which gets a new conversation for each question.

    `share` lets the server share the conversations with the models' authors; the other
    options are those of :class:`.http_backend.HttpBackend`.
    """

    dialect = "gpt-gm"

    def __init__(
        self, url: str | None = None, *, share: bool = False, **options: Any
    ) -> None:
        check_types(bool, share=share)
        self._share = share
        super().__init__(url, **options)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers, or the known models if it has no list."""
        client = self.connect()
        with explaining_errors(partial(explain, url=client.url)):
            return list_models(client)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """Return how many tokens `model` would read; only our own servers can count."""
        client, named = self.connect(), service_id(model)
        with explaining_errors(partial(explain, url=client.url, model=named)):
            return count_tokens(client, named, messages)

    def _open(self, endpoint: Endpoint) -> GptGmClient:
        return GptGmClient(endpoint, share=self._share, timeouts=self._timeouts)

    def _question(self, request: ChatRequest) -> GptGmQuestion:
        return GptGmQuestion(
            model=service_id(request.model),
            messages=request.messages,
            parameters={**resolve(request.parameters), "details": True},
            options=options(strict=request.strict),
            schema=request.schema,
            retry=self._retry,
        )
