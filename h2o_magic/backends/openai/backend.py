"""An OpenAI-compatible server as a backend, and how such a server is recognised.

Among them vLLM, Ollama, llama.cpp, text-generation-inference, h2oGPT, h2oGPTe, Ray
Serve, LM Studio, LiteLLM, FastChat, ``transformers serve``, and our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from h2o_magic.backends.base import (
    ChatRequest,
    Dialect,
    Match,
    ModelInfo,
    ProbeAnswer,
)
from h2o_magic.backends.error_advice import explaining_errors
from h2o_magic.backends.http import Endpoint
from h2o_magic.backends.http_backend import HttpBackend
from h2o_magic.backends.openai.api import OpenAIClient
from h2o_magic.backends.openai.ask import OpenAIQuestion, body_for
from h2o_magic.backends.openai.errors import RequestInfo, explain
from h2o_magic.backends.openai.flavour import Flavour, entries_of, flavour_of
from h2o_magic.backends.openai.models import count_tokens, model_of, models_of
from h2o_magic.chat.messages import Message


class OpenAIBackend(HttpBackend[OpenAIClient]):
    """An OpenAI-compatible server; its address may end with ``/v1``, or not.

    The parameters are those of :class:`.http_backend.HttpBackend`.
    """

    #: What detection and lists of servers call this protocol.
    dialect = "openai"

    def models(self) -> list[ModelInfo]:
        client = self.connect()
        with explaining_errors(partial(explain, info=RequestInfo(client.url))):
            return client.models(read=models_of)

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says about one model; None if nothing.

        An empty `name` is the default of a server of this package, once it is known to
        be one.
        """
        client = self.connect()
        if client.known_flavour != "h2o_magic":
            return super().model(name)
        with explaining_errors(partial(explain, info=RequestInfo(client.url, name))):
            document = client.model(name or "default")
        return next(map(model_of, entries_of([document])), None)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """Return how many tokens the model would read of `messages`.

        None if the server has no call for that: all but vLLM, llama.cpp and servers of
        this package.
        """
        client = self.connect()
        with explaining_errors(partial(explain, info=RequestInfo(client.url, model))):
            return count_tokens(client, model, messages)

    def check(self, request: ChatRequest) -> None:
        body_for(self.connect(), request)

    def _open(self, endpoint: Endpoint) -> OpenAIClient:
        flavour: Flavour | None = "h2o_magic" if self._may_move else None
        return OpenAIClient(endpoint.url, endpoint.token, self._timeouts, flavour)

    def _question(self, request: ChatRequest) -> OpenAIQuestion:
        return OpenAIQuestion(request, self._retry)


#: The names of the programs, by flavour.
ENGINES: Mapping[Flavour, str] = {
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "llama_cpp_server": "llama-cpp-python",
    "fastchat": "FastChat",
    "h2ogpt": "h2oGPT",
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "h2o_magic": "h2o_magic",
}


def _recognise(answer: ProbeAnswer, earlier: Sequence[ProbeAnswer]) -> Match | None:
    document = answer.document
    if answer.status == 200 and _is_list(document):
        return Match(_engine(document, answer.server), len(list(entries_of(document))))
    if not isinstance(document, dict):
        return None
    alone = not any(other.refused for other in earlier)
    error = document.get("error")
    # The shape of OpenAI's errors; a missing route can have it, too.
    shaped = isinstance(error, dict) and "message" in error and "type" in error
    if ((answer.refused or answer.status == 429) and alone) or (
        answer.status >= 400 and answer.status not in (404, 405) and shaped
    ):
        return Match(_engine(None, answer.server))
    return None


def _is_list(document: object) -> bool:
    """Return whether a document is a list of models; an empty one may have no data."""
    if isinstance(document, dict):
        empty = document.get("object") == "list" and "data" in document
        data = document.get("data")
        return isinstance(data, list) or (data is None and empty)
    return any(True for _ in entries_of(document))


def _engine(document: object, server: str) -> str:
    named = ENGINES.get(flavour_of(document), "")
    return named or ("llama.cpp" if server.lower().startswith("llama.cpp") else "")


DIALECT = Dialect(
    "openai",
    "OpenAI-compatible",
    OpenAIBackend,
    probes=("{version}/models",),
    recognise=_recognise,
)
