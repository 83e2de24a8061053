"""Answers the session's requests by the gpt-gm protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from h2o_magic.backends import ChatRequest, ModelInfo
from h2o_magic.backends.arguments import check_kind
from h2o_magic.backends.gptgm.api import GptGmCalls
from h2o_magic.backends.gptgm.ask import GptGmQuestion, options
from h2o_magic.backends.gptgm.errors import explained
from h2o_magic.backends.gptgm.models import count_tokens, list_models, service_id
from h2o_magic.backends.http_backend import HttpBackend
from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.backends.telling import telling
from h2o_magic.messages import Message
from h2o_magic.parameters import resolve
from h2o_magic.transport import DEFAULT_TIMEOUTS, Endpoint, Timeouts

__all__ = ["GptGmBackend"]


class GptGmBackend(HttpBackend[GptGmCalls]):
    """A gpt-gm server, which gets a new conversation for each question.

    The parameters are those of :class:`.http_backend.HttpBackend`, and:

    Parameters
    ----------
    share
        True lets the server share the conversations with the models' authors.
    """

    dialect = "gpt-gm"

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        connection: Callable[[], Endpoint] | None = None,
        share: bool = False,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        check_kind("share", share, bool)
        self._share = share
        super().__init__(
            url,
            token=token,
            connection=connection,
            timeouts=timeouts,
            patience=patience,
        )

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

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says of one model; None if nothing.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses to answer.
        """
        found = self.models() if name else []  # it has no word for its best one
        return next((m for m in found if m.name == name), None)

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
