"""Addresses as vendors print them: each connects, and is asked where its API is.

A stand-in has a vendor's real paths only, and answers 404 elsewhere in one of the ways
that vendors do. The addresses are those of the vendors' documentation, November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.openai.address import address_of, read_address, same_server
from h2o_magic.backends.servers.known import KnownServer, KnownServers
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ProtocolError,
    StatusError,
)
from tests.backends.scripted import Answer, Request, Script, answer, document, serving
from tests.backends.servers.test_connect import KEY, Desk

#: The base of each vendor's API, and the addresses that its documentation prints.
LISTED: dict[str, tuple[str, list[str]]] = {
    "OpenAI": ("/v1", ["", "/v1", "/v1/", "/v1/chat/completions", "/v1/responses"]),
    "Azure OpenAI": ("/openai/v1", ["", "/openai", "/openai/v1/"]),
    "Gemini": ("/v1beta/openai", ["/v1beta/openai/", "/v1beta"]),
    "Open WebUI": ("/api", ["", "/api", "/api/models", "/api/chat/completions"]),
    "Open WebUI, Ollama": ("/ollama/v1", ["/ollama/v1", "/ollama"]),
    "OpenRouter": ("/api/v1", ["/api/v1", "/api/v1/chat/completions", "/api"]),
    "Groq": ("/openai/v1", ["/openai/v1", "/openai/v1/chat/completions"]),
    "DeepInfra": ("/v1/openai", ["/v1/openai", "/v1/openai/chat/completions"]),
    "Fireworks": ("/inference/v1", ["/inference/v1", "/inference/v1/chat/completions"]),
    "Novita": ("/v3/openai", ["/v3/openai", "/v3/openai/chat/completions", "/v3"]),
    "Cohere": ("/compatibility/v1", ["/compatibility/v1", "/compatibility"]),
    "Anthropic": ("/v1", ["/v1/", "/v1/messages"]),
    "DeepSeek": ("", ["", "/", "/chat/completions"]),
    "DeepSeek beta": ("/beta", ["/beta", "/beta/completions"]),
    "Zhipu": ("/api/paas/v4", ["/api/paas/v4/", "/api/paas/v4/chat/completions"]),
    "DashScope": ("/compatible-mode/v1", ["/compatible-mode/v1"]),
    "Volcengine": ("/api/v3", ["/api/v3", "/api/v3/chat/completions"]),
    "Qianfan": ("/v2", ["/v2", "/v2/chat/completions"]),
    "Infinigence": ("/maas/v1", ["/maas/v1"]),
    "Bedrock": ("/openai/v1", ["/openai/v1"]),
    "watsonx": ("/ml/gateway/v1", ["/ml/gateway/v1", "/ml/gateway"]),
    "Hugging Face": ("/v1", ["/v1", "/v1/"]),
    "LM Studio": ("/v1", ["", "/v1", "/api/v1", "/api/v1/chat"]),
    "LM Studio, old": ("/api/v0", ["/api/v0", "/api/v0/models"]),
    "Ollama": ("/v1", ["", "/v1", "/api", "/api/chat", "/api/generate", "/api/tags"]),
    "llama.cpp": ("/v1", ["", "/v1/chat/completions", "/completion", "/v1/models"]),
    "vLLM": ("/v1", ["/v1", "/v1/completions", "/v1/embeddings"]),
    "LiteLLM": ("/v1", ["", "/", "/chat/completions", "/v1"]),
    "text-generation-inference": ("/v1", ["", "/v1", "/generate", "/generate_stream"]),
    "KoboldCpp": ("/v1", ["/api", "/api/v1", "/api/v1/generate", "/v1"]),
    "Docker Model Runner": ("/engines/v1", ["/engines/v1", "/engines"]),
    "Docker, llama.cpp": ("/engines/llama.cpp/v1", ["/engines/llama.cpp/v1"]),
    "Snowflake Cortex": ("/api/v2/cortex/v1", ["/api/v2/cortex/v1", "/api/v2/cortex"]),
    "Workers AI": ("/client/v4/accounts/A/ai/v1", ["/client/v4/accounts/A/ai/v1"]),
    "SageMaker": ("/endpoints/E/openai/v1", ["/endpoints/E/openai/v1"]),
    "Moonshot": ("/v1", ["/v1"]),
    "Portkey": ("/v1", ["/v1", "/v1/chat/completions"]),
}
#: Those without a list of models.
UNLISTED: dict[str, tuple[str, list[str]]] = {
    "Perplexity": ("", ["", "/", "/chat/completions"]),
    "GitHub Models": ("/inference", ["/inference", "/inference/chat/completions"]),
    "GitHub, organization": ("/orgs/O/inference", ["/orgs/O/inference"]),
    "Vertex AI": (
        "/v1/projects/P/locations/global/endpoints/openapi",
        ["/v1/projects/P/locations/global/endpoints/openapi"],
    ),
    "AI Gateway": ("/v1/A/G/compat", ["/v1/A/G/compat/chat/completions"]),
    "Databricks": (
        "/serving-endpoints",
        ["/serving-endpoints", "/serving-endpoints/llama/invocations"],
    ),
    "MiniMax": ("/v1", ["/v1", "/v1/chat/completions"]),
    "a proxy": ("/v1", [""]),
}
#: What a vendor answers for a path that it does not have.
MISSING = {
    "json": answer(b'{"detail":"Not Found"}', status=404),
    "html": answer(
        b"<h1>404 page not found</h1>", status=404, content_type="text/html"
    ),
    "empty": answer(b"", status=404),
    "openai": document(
        {"error": {"message": "Invalid URL", "type": "invalid_request_error"}},
        status=404,
    ),
    "page": answer(b"<!doctype html><title>App</title>", content_type="text/html"),
    "unexpected": document({"error": "Unexpected endpoint or method. (GET /x)"}),
}
MODELS = document({"object": "list", "data": [{"id": "m", "object": "model"}]})


def printed(table: dict[str, tuple[str, list[str]]]) -> list[Any]:
    """Return each address with its API's base, the ways of 404 in turn."""
    cases = [(v, base, a) for v, (base, paths) in table.items() for a in paths]
    return [
        pytest.param(base, path, way, id=f"{vendor} {path} {way}")
        for index, (vendor, base, path) in enumerate(cases)
        for way in [list(MISSING)[index % 4]]
    ]


def vendor(base: str, missing: Answer, *, models: Answer | None = MODELS) -> Script:
    """Return a server that has its API below `base`, and nothing else."""

    def script(request: Request) -> Answer:
        call = f"{request.method} {request.path}"
        if call == f"GET {base}/models" and models is not None:
            return models
        if call != f"POST {base}/chat/completions":
            return missing
        delta = {"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}
        event = f"data: {json.dumps({'choices': [delta]})}\n\ndata: [DONE]\n\n"
        return answer(event.encode(), content_type="text/event-stream")

    return script


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    session = desk.session()
    yield session
    session.close()


def questions(server: Any) -> list[str]:
    return [r.path for r in server.requests if r.method == "POST"]


@pytest.mark.parametrize("dialect", ["", "openai"])
@pytest.mark.parametrize(("base", "path", "way"), printed(LISTED))
def test_an_address_as_its_vendor_prints_it_connects_and_is_asked_there(
    desk: Desk, session: Session, base: str, path: str, way: str, dialect: str
) -> None:
    with serving(vendor(base, MISSING[way])) as server:
        connected = session.connect(server.url + path, name="lab", dialect=dialect)
        assert (connected.dialect, connected.models) == ("openai", ("m",))
        assert session.ask("Hi").read() == "Yes."
        # In the next kernel, nobody looks for it again.
        server.requests.clear()
        again = desk.session()
        again.configure(server="lab")
        assert again.ask("Hi").read() == "Yes."
        again.close()
        session.close()
        assert {r.path for r in server.requests} <= {
            f"{base}/models",
            f"{base}/chat/completions",
        }


@pytest.mark.parametrize(("base", "path", "way"), printed(UNLISTED))
def test_a_server_without_a_list_connects_or_says_exactly_what_to_write(
    desk: Desk, session: Session, base: str, path: str, way: str
) -> None:
    with serving(vendor(base, MISSING[way], models=None)) as server:
        url = (server.url + path).rstrip("/")
        if way != "openai":
            with pytest.raises(ProtocolError) as caught:
                session.connect(url)
            assert f"`%h2o connect {url} --dialect openai`" in str(caught.value)
            session.connect(url, dialect="openai", name="lab")
        else:
            connected = session.connect(url, name="lab")
            assert "it does not list its models" in str(connected)
        session.configure(model="m")
        assert session.ask("Hi").read() == "Yes."
        assert questions(server)[-1] == f"{base}/chat/completions"
        server.requests.clear()
        again = desk.session()
        again.configure(server="lab", model="m")
        assert again.ask("Hi").read() == "Yes."
        again.close()
        session.close()
