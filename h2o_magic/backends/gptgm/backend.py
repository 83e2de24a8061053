"""A gpt-gm server as a backend, and how such a server is recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from h2o_magic.backends.base import (
    ChatRequest,
    Dialect,
    Match,
    ModelInfo,
    ProbeAnswer,
)
from h2o_magic.backends.error_advice import explaining_errors
from h2o_magic.backends.gptgm.api import GptGmClient
from h2o_magic.backends.gptgm.ask import GptGmQuestion, explain, options
from h2o_magic.backends.gptgm.models import (
    list_models,
    models_of_page,
    service_id,
)
from h2o_magic.backends.http import Endpoint
from h2o_magic.backends.http_backend import HttpBackend, check_types
from h2o_magic.config.parameters import resolve
from h2o_magic.errors import ParameterError


class GptGmBackend(HttpBackend[GptGmClient]):
    """A gpt-gm server, which gets a new conversation for each question.

    `share` lets the server share the conversations with the models' authors.
    """

    dialect = "gpt-gm"

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        share: bool = False,
        **options: Any,
    ) -> None:
        check_types(bool, share=share)
        self._share = share
        super().__init__(url, token, **options)

    def models(self) -> list[ModelInfo]:
        client = self.connect()
        with explaining_errors(partial(explain, url=client.url)):
            return list_models(client)

    def vision(self, model: str) -> bool:  # noqa: ARG002
        return False

    def body(self, request: ChatRequest) -> Mapping[str, Any]:
        return self._question(request).document()

    def _open(self, endpoint: Endpoint) -> GptGmClient:
        return GptGmClient(
            endpoint,
            share=self._share,
            timeouts=self._timeouts,
            connections=self._connections,
        )

    def _question(self, request: ChatRequest) -> GptGmQuestion:
        if request.messages and request.messages[-1].images:
            raise ParameterError(
                f"images cannot be sent to {self.url}: the gpt-gm protocol has text "
                "only; leave them out, or use an OpenAI-compatible server"
            )
        return GptGmQuestion(
            model=service_id(request.model),
            messages=request.messages,
            parameters={**resolve(request.parameters), "details": True},
            options=options(strict=request.strict),
            schema=request.schema,
            retry=self._retry,
            for_rows=self._for_rows,
        )


#: What only chat-ui of 2023 and the servers of this package say.
_LOGIN = "You have to be logged in."
#: The data of chat-ui's page in 2023, in SvelteKit's shape.
_PAGE = "/__data.json"


def _recognise(answer: ProbeAnswer, earlier: Sequence[ProbeAnswer]) -> Match | None:
    if answer.server == "h2o_magic":
        return None  # our own is asked in OpenAI's dialect, which says more
    if answer.refused:
        page = answer.path == _PAGE and not any(other.refused for other in earlier)
        return Match() if page or answer.words == _LOGIN else None
    if answer.status != 200:
        return None
    return _page(answer.document) if answer.path == _PAGE else None


def _page(document: object) -> Match | None:
    """Judge the data of a page; those of later versions of chat-ui are empty."""
    if not isinstance(document, dict) or document.get("type") != "data":
        return None
    nodes = document.get("nodes")
    if not isinstance(nodes, list) or not any(nodes):
        return None
    return Match(models=len(models_of_page(document)) or None)


DIALECT = Dialect(
    "gpt-gm",
    "gpt-gm",
    GptGmBackend,
    probes=("/api/models", "{version}/models", _PAGE),
    recognise=_recognise,
)
