"""An OpenAI-compatible server as a backend, and how such a server is recognised.

Among them vLLM, Ollama, llama.cpp, text-generation-inference, h2oGPT, h2oGPTe, Ray
Serve, LM Studio, LiteLLM, FastChat, ``transformers serve``, and our own.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
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
from h2o_magic.backends.http import QUICK, Cancellation, Endpoint
from h2o_magic.backends.http.error_body import unlisted
from h2o_magic.backends.http.rate_limit import rate_limit
from h2o_magic.backends.http_backend import HttpBackend
from h2o_magic.backends.openai.api import OpenAIClient
from h2o_magic.backends.openai.chunks import AnswerFacts
from h2o_magic.backends.openai.errors import (
    RequestInfo,
    explain,
    is_busy,
    refusal_words,
)
from h2o_magic.backends.openai.flavour import ENGINES, enforces, flavour_of
from h2o_magic.backends.openai.models import (
    count_tokens,
    model_of,
    models_of,
    slots,
)
from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.backends.openai.request import Body, make_body, needs_flavour
from h2o_magic.backends.openai.shapes import (
    entries_of,
    is_error,
    is_list,
)
from h2o_magic.backends.openai.vision import ask_vision
from h2o_magic.backends.own_server import source_in
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Event
from h2o_magic.chat.messages import Message
from h2o_magic.errors import BackendError, ConnectionFailedError

_LOCAL_ENDED = (
    "the local server died while it was answering: ask again, and it is started anew "
    "(`%h2o status` names its log)"
)


class OpenAIBackend(HttpBackend[OpenAIClient]):
    """An OpenAI-compatible server; its address may end with ``/v1``, or not."""

    #: What detection and lists of servers call this protocol.
    dialect = "openai"

    @property
    def url(self) -> str:
        """The server's address, at which its API was found if it was asked."""
        current = self._current
        return current[1].url if current else super().url

    @property
    def flavour(self) -> str | None:
        """What the server is, if it was asked for its models."""
        return self.connect().known_flavour

    def models(self) -> list[ModelInfo]:
        client = self.connect()
        with explaining_errors(partial(explain, info=RequestInfo(client.url))):
            return models_of(client.models())

    def model(self, name: str = "") -> ModelInfo | None:
        client = self.connect()
        if client.known_flavour != "h2o_magic":
            return super().model(name)
        with explaining_errors(partial(explain, info=RequestInfo(client.url, name))):
            document = client.model(name or "default")
        return next(map(model_of, entries_of([document])), None)

    def vision(self, model: str) -> bool | None:
        client = self.connect()
        with explaining_errors(partial(explain, info=RequestInfo(client.url, model))):
            if client.flavour() != "h2o_magic":
                return ask_vision(client, model)
        info = self.model(model)
        return info.vision if info else None

    def slots(self, model: str) -> int | None:
        client = self.connect()
        with explaining_errors(partial(explain, info=RequestInfo(client.url, model))):
            return slots(client)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        client = self.connect()
        with explaining_errors(partial(explain, info=RequestInfo(client.url, model))):
            return count_tokens(client, model, messages)

    def body(self, request: ChatRequest) -> Mapping[str, Any]:
        return body_for(self.connect(), request).document

    def _open(self, endpoint: Endpoint) -> OpenAIClient:
        flavour = "h2o_magic" if self._may_move else None
        return OpenAIClient(
            endpoint.url, endpoint.token, self._timeouts, flavour, self._connections
        )

    def _question(self, request: ChatRequest) -> OpenAIQuestion:
        return OpenAIQuestion(
            request, self._retry, local=self._may_move, for_rows=self._for_rows
        )


class OpenAIQuestion:
    """How one question is asked; what a server refuses is left out of its body."""

    def __init__(
        self,
        request: ChatRequest,
        retry: RetryPolicy,
        *,
        local: bool = False,
        for_rows: bool = False,
    ) -> None:
        self._request = request
        self._local = local
        self._for_rows = for_rows
        self._retry = retry
        self._busy = 0  # how often the server was
        self._body: Body | None = None

    def answer(
        self, client: OpenAIClient, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        request = self._request
        if self._body is None:
            self._body = body_for(client, request, cancellation)
        schema, stop = request.schema, request.parameters.get("stop", ())
        enforced = schema is not None and enforces(schema, client.flavour(cancellation))
        # Closing the body, as whatever ends this does, stops the server's work.
        with client.ask(self._body.document, cancellation) as reply:
            client.learn(request.model, self._body.given_up)
            if self._for_rows and (limit := rate_limit(reply.headers)):
                yield limit
            source = source_in(reply.headers)
            if source is not None:
                yield replace(source, schema=enforced)
            facts = AnswerFacts(
                schema=enforced,
                named=source is not None,
                dropped_turns=self._body.dropped_turns,
            )
            parser = OpenAIParser(stop if isinstance(stop, tuple) else (), facts)
            yield from parser.read(reply, client.timeouts)

    def retry_after(self, error: BackendError) -> float | None:
        if is_busy(error, self._body):
            self._busy += 1
            return self._retry.delay(self._busy, error)
        repaired = self._body and self._body.repaired(refusal_words(error))
        if repaired is None:
            return None
        self._body = repaired
        return 0.0

    def explain(self, error: BackendError, client: OpenAIClient) -> str:
        if self._local and isinstance(error.__cause__, ConnectionFailedError):
            return _LOCAL_ENDED
        names = partial(_names, client)
        info = RequestInfo(client.url, self._request.model, self._body, names)
        return explain(error, info)


def body_for(
    client: OpenAIClient, request: ChatRequest, cancellation: Cancellation | None = None
) -> Body:
    """Return the body of a question; asks what the server is if that matters."""
    flavour = client.known_flavour or "standard"
    if needs_flavour(request):
        flavour = client.flavour(cancellation)
    body = make_body(request, flavour, client.url)
    refused = client.refused(request.model)
    return body.without(refused) if refused else body


def _names(client: OpenAIClient) -> list[str]:
    """Return the names of the server's models; none if it does not say at once."""
    try:
        return [entry["id"] for entry in entries_of(client.models(timeouts=QUICK))]
    except BackendError:
        return []


def _recognise(answer: ProbeAnswer, earlier: Sequence[ProbeAnswer]) -> Match | None:
    document = answer.document
    if answer.status == 200 and is_list(document, answer.path):
        return Match(_engine(document, answer.server), len(list(entries_of(document))))
    alone = not any(other.refused for other in earlier)
    described = isinstance(unlisted(document), dict)
    refused = described and (answer.refused or answer.status == 429)
    # The shape of OpenAI's errors; a missing route can have it, too.
    shaped = is_error(document) and answer.status not in (404, 405)
    if (refused and alone) or (answer.status >= 400 and shaped):
        return Match(_engine(None, answer.server))
    return None


#: Engines that their ``Server`` header names.
_NAMED = ("llama.cpp", "h2o_magic")


def _engine(document: object, server: str) -> str:
    named = ENGINES.get(flavour_of(document), "")
    return named or next(filter(server.lower().startswith, _NAMED), "")


DIALECT = Dialect(
    "openai",
    "OpenAI-compatible",
    OpenAIBackend,
    probes=("{version}/models",),
    recognise=_recognise,
)
