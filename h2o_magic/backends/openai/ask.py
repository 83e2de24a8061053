"""One question to an OpenAI-compatible server, and the body that it is sent with."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.http import QUICK, Cancellation
from h2o_magic.backends.openai.api import OpenAIClient
from h2o_magic.backends.openai.errors import (
    RequestInfo,
    explain,
    is_busy,
    refusal_words,
)
from h2o_magic.backends.openai.flavour import enforces, entries_of
from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.backends.openai.request import Body, make_body, needs_flavour
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Event
from h2o_magic.errors import BackendError


class OpenAIQuestion:
    """How one question is asked; what a server refuses is left out of its body."""

    def __init__(self, request: ChatRequest, retry: RetryPolicy) -> None:
        self._request = request
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
        parser = OpenAIParser(
            stop=stop if isinstance(stop, tuple) else (),
            schema=schema is not None
            and enforces(schema, client.flavour(cancellation)),
        )
        # Closing the body, as whatever ends this does, stops the server's work.
        with client.ask(self._body.document, cancellation) as reply:
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
    return make_body(request, flavour, client.url)


def _names(client: OpenAIClient) -> list[str]:
    """Return the names of the server's models; none if it does not say at once."""
    try:
        entries = client.models(read=entries_of, timeouts=QUICK)
        return [entry["id"] for entry in entries]
    except BackendError:
        return []
