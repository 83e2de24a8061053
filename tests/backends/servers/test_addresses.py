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
from h2o_magic.errors import ConfigurationError, ProtocolError, StatusError
from tests.backends.scripted import Answer, Request, Script, answer, document, serving
from tests.backends.servers.test_connect import KEY, Desk

#: The base of each vendor's API, and the addresses that its documentation prints.
LISTED: dict[str, tuple[str, list[str]]] = {
    "OpenAI": ("/v1", ["", "/v1", "/v1/", "/v1/chat/completions", "/v1/responses"]),
    "OpenAI, other routes": (
        "/v1",
        [
            *("/v1/models/gpt-5", "/v1/audio/speech", "/v1/images/generations"),
            *("/v1/moderations", "/v1/files", "/v1/batches", "/v1/realtime"),
        ],
    ),
    "Azure OpenAI": ("/openai/v1", ["", "/openai", "/openai/v1/"]),
    "Gemini": (
        "/v1beta/openai",
        ["/v1beta/openai/", "/v1beta", "/v1beta/models/gemini-2.5:generateContent"],
    ),
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
    "vLLM, other routes": ("/v1", ["/v1/score", "/v1/rerank", "/detokenize", "/ping"]),
    "vLLM, pages": ("/v1", ["/docs", "/redoc", "/openapi.json", "/metrics"]),
    "llama.cpp, other routes": ("/v1", ["/slots", "/embedding", "/apply-template"]),
    "Ollama, other routes": ("/v1", ["/api/embed", "/api/pull"]),
    "LiteLLM, other routes": ("/v1", ["/health/liveliness", "/health/readiness"]),
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
        pytest.param((base, path, way), id=f"{vendor} {path} {way}")
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
@pytest.mark.parametrize("case", printed(LISTED))
def test_an_address_as_its_vendor_prints_it_connects_and_is_asked_there(
    desk: Desk, session: Session, case: tuple[str, str, str], dialect: str
) -> None:
    base, path, way = case
    with serving(vendor(base, MISSING[way])) as server:
        connected = session.connect(server.url + path, name="lab", dialect=dialect)
        assert (connected.dialect, connected.models) == ("openai", ("m",))
        assert session.ask("Hi").read() == "Yes."
        if dialect:
            return
        # In the next kernel, nobody looks for it again.
        session.close()
        server.requests.clear()
        again = desk.session()
        again.configure(server="lab")
        assert again.ask("Hi").read() == "Yes."
        again.close()
        assert {r.path for r in server.requests} <= {
            f"{base}/models",
            f"{base}/chat/completions",
        }


@pytest.mark.parametrize("case", printed(UNLISTED))
def test_a_server_without_a_list_connects_or_says_exactly_what_to_write(
    desk: Desk, session: Session, case: tuple[str, str, str]
) -> None:
    base, path, way = case
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


@pytest.mark.parametrize("base", ["/v1beta/openai", "/api", "/inference/v1"])
def test_an_address_that_is_set_is_asked_where_its_api_is(
    session: Session, base: str
) -> None:
    with serving(vendor(base, MISSING["html"])) as server:
        session.configure(server=f"{server.url}{base}/chat/completions")
        assert session.ask("Hi").read() == "Yes."
        assert questions(server) == [f"{base}/chat/completions"]


def test_every_way_to_write_an_address_comes_to_the_same_server(
    session: Session,
) -> None:
    with serving(vendor("/v1", MISSING["json"])) as server:
        url = server.url.replace("http", "HTTP")
        session.connect(server.url, name="lab", dialect="openai")
        for given in (
            *(
                f'"{url}/v1"',
                f"`{url}/v1/`,",
                f"<{url}>",
                f"{url}/v1/chat/completions.",
            ),
            *(f"{url}/api/chat", f"{url}/api", f"{url}/v1/models"),
        ):
            assert session.connect(given).server == "lab"
            assert session.ask("Hi").read() == "Yes."
        assert len(session.servers.known()) == 1


def test_the_address_of_azure_that_is_told_connects(session: Session) -> None:
    with serving(vendor("/openai/v1", MISSING["json"])) as server:
        route = "/openai/deployments/m/chat/completions?api-version=2024-10-21"
        with pytest.raises(ConfigurationError) as caught:
            session.connect(server.url + route)
        told = str(caught.value).partition("write ")[2].split()[0]
        assert told == f"{server.url}/openai/v1"
        assert server.requests == []
        session.connect(told)
        assert session.ask("Hi").read() == "Yes."


def test_a_key_in_the_address_is_neither_sent_nor_shown(session: Session) -> None:
    with serving(vendor("/v1beta/openai", MISSING["json"])) as server:
        url = f"{server.url}/v1beta/openai"
        with pytest.raises(ConfigurationError) as caught:
            session.connect(f"{url}?key={KEY}")
        assert server.requests == []
    assert KEY not in str(caught.value)
    assert f"`%h2o connect {url} --key-env VAR`" in str(caught.value)


def test_a_key_in_place_of_the_address_is_not_shown(session: Session) -> None:
    with pytest.raises(ConfigurationError) as caught:
        session.connect("sk-0123456789abcdefghijABCDEFGHIJ")
    assert "sk-01" not in str(caught.value)
    assert "--key-env VAR" in str(caught.value)


@pytest.mark.parametrize(
    ("kept", "base"),
    [
        ("", "/v1"),
        ("/v1", "/v1"),
        ("/below", "/below/v1"),
        ("/below/v1", "/below/v1"),
        ("/v1/chat/completions", "/v1"),
        ("/chat/completions", "/v1"),
    ],
)
@pytest.mark.parametrize("models", [MODELS, None])
def test_an_address_that_was_kept_before_is_asked_where_it_was(
    desk: Desk, session: Session, kept: str, base: str, models: Answer | None
) -> None:
    with serving(vendor(base, MISSING["html"], models=models)) as server:
        known = KnownServers(desk.folder / "servers.json")
        known.keep(KnownServer("lab", server.url + kept, "openai"))
        session.configure(server="lab", model="m")
        assert session.ask("Hi").read() == "Yes."
        assert questions(server)[-1] == f"{base}/chat/completions"


def test_a_question_goes_to_one_route_where_the_address_leaves_no_doubt(
    session: Session,
) -> None:
    with serving(lambda _: MISSING["json"]) as server:
        session.connect(f"{server.url}/v1", dialect="openai")
        with pytest.raises(StatusError, match="check the address and its path"):
            session.ask("Hi", model="m").read()
        assert questions(server) == ["/v1/chat/completions"]


def test_a_missing_model_is_no_missing_route(session: Session) -> None:
    def script(request: Request) -> Answer:
        if request.method == "GET":
            return MISSING["json"]
        return document({"error": {"message": "Model not found: m"}}, status=404)

    with serving(script) as server:
        session.connect(f"{server.url}/inference", dialect="openai")
        with pytest.raises(StatusError, match="the server has no model 'm'"):
            session.ask("Hi", model="m").read()
        assert questions(server) == ["/inference/chat/completions"]


def test_a_gateway_that_forbids_unknown_routes_is_no_refusal_of_the_key(
    desk: Desk, session: Session
) -> None:
    desk.environ["LAB_KEY"] = KEY
    forbidden = document({"message": "Missing Authentication Token"}, status=403)
    with serving(vendor("/stage/v1", forbidden)) as server:
        session.connect(f"{server.url}/stage", key_env="LAB_KEY")
        assert session.ask("Hi").read() == "Yes."


def test_googles_way_to_ask_for_a_key_is_understood(session: Session) -> None:
    error = {"code": 400, "message": "Missing or invalid Authorization header."}
    refusal = document([{"error": {**error, "status": "INVALID_ARGUMENT"}}], status=400)
    script = vendor("/v1beta/openai", MISSING["html"], models=refusal)
    with serving(script) as server:
        url = f"{server.url}/v1beta/openai"
        with pytest.raises(StatusError) as caught:
            session.connect(url)
    assert "requires a key: name the environment variable" in str(caught.value)
    assert f"`%h2o connect {url} --key-env VAR`" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "x-api-key header is required"),  # Anthropic
        (400, "anthropic-version: header is required"),
        (403, "Missing scopes: api.model.read"),  # OpenAI
        (400, "page is required"),
    ],
)
def test_a_key_that_may_ask_but_not_list_connects_where_the_dialect_is_named(
    desk: Desk, session: Session, status: int, words: str
) -> None:
    desk.environ["LAB_KEY"] = KEY
    error = {"error": {"type": "invalid_request_error", "message": words}}
    refusal = document(error, status=status)
    with serving(vendor("/v1", MISSING["json"], models=refusal)) as server:
        url = f"{server.url}/v1"
        connected = session.connect(url, dialect="openai", key_env="LAB_KEY")
        assert words in connected.notes[-1]
        assert session.ask("Hi", model="m").read() == "Yes."


def test_a_key_that_is_wrong_is_refused_where_the_dialect_is_named(
    desk: Desk, session: Session
) -> None:
    desk.environ["LAB_KEY"] = KEY
    refusal = document({"error": {"message": "Incorrect API key"}}, status=401)
    with (
        serving(vendor("/v1", MISSING["json"], models=refusal)) as server,
        pytest.raises(StatusError, match="rejected the key"),
    ):
        session.connect(server.url, dialect="openai", key_env="LAB_KEY")


def test_a_typed_key_goes_along_when_the_api_is_found_elsewhere(
    desk: Desk, session: Session
) -> None:
    with serving(vendor("/below/v1", MISSING["json"])) as server:
        session.connect(f"{server.url}/below", name="lab", key_prompt=True)
        session.configure(server="")
        session.configure(server="lab")
        assert session.ask("Hi").read() == "Yes."
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert len(desk.ask.prompts) == 1


def test_models_that_are_listed_for_another_purpose_are_not_the_apis(
    session: Session,
) -> None:
    # Docker Model Runner lists the files of its models at its root.
    files = document([{"id": "sha256:0", "tags": ["ai/smollm2"]}])
    with (
        serving(vendor("", MISSING["json"], models=files)) as server,
        pytest.raises(ProtocolError, match="not a supported server"),
    ):
        session.connect(server.url)


def test_a_server_that_never_listed_its_models_stays_what_it_was_called(
    session: Session,
) -> None:
    script = vendor("/inference", MISSING["json"], models=None)
    with serving(script) as server:
        session.connect(f"{server.url}/inference", dialect="openai", name="lab")
        server.requests.clear()
        assert session.connect("lab").dialect == "openai"
        assert all(r.path.endswith("/models") for r in server.requests)


@pytest.mark.parametrize("table", [LISTED, UNLISTED])
def test_an_address_that_is_kept_is_looked_at_first_and_is_the_same_servers(
    table: dict[str, tuple[str, list[str]]],
) -> None:
    for _, paths in table.values():
        for path in paths:
            given = f"https://host.example.org{path}"
            for place in read_address(given).places:
                kept = address_of(place, given)
                assert read_address(kept).places[0] == place
                assert same_server(kept, given)
                assert same_server(given, kept)


def test_two_servers_below_one_host_are_two() -> None:
    host = "https://gpu.example.org"
    assert not same_server(f"{host}/team-a", f"{host}/team-b/v1")
    assert not same_server(f"{host}/v1", f"{host}:8443/v1")
    assert same_server(f"{host}/v1", f"{host}/v2")
