"""Which dialect a server speaks: recorded answers over real sockets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from h2o_magic.backends.detect import Found, detect
from h2o_magic.backends.http import Timeouts
from h2o_magic.backends.local import locate
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    TimedOutError,
)
from tests.backends.replayed import NOTHING, replayed, routes
from tests.backends.scripted import (
    DROP,
    Answer,
    Request,
    Script,
    answer,
    document,
    serving,
)

KEY = "key-not-to-be-seen-1"


def looked_at(
    script: Script, path: str = "", key: str | None = None
) -> tuple[Found, list[Request]]:
    with serving(script) as server:
        found = detect(Endpoint(server.url + path, key))
        return found, server.requests


def nothing_fits(script: Script, key: str | None = None) -> tuple[str, list[str]]:
    with serving(script) as server:
        with pytest.raises(ProtocolError) as caught:
            detect(Endpoint(server.url, key))
        said = str(caught.value).replace(server.url, "URL")
    assert "\n" not in said
    return said, server.calls()


OPENAI = {
    "vllm_api_server": ("vLLM", 1),
    "xllamacpp": ("llama.cpp", 1),
    "fastchat": ("FastChat", 1),
    "h2ogpt_openai_server": ("h2oGPT", 1),
    "llama_cpp_server": ("llama-cpp-python", 1),
    "litellm_proxy": ("", 2),
    "transformers_serve": ("", 0),
}


@pytest.mark.parametrize("server", OPENAI)
@pytest.mark.parametrize("path", ["", "/v1", "/below", "/below/v1"])
def test_an_openai_server_is_known_by_its_list_of_models(
    server: str, path: str
) -> None:
    prefix = path.removesuffix("/v1")
    script = routes(
        {f"{prefix}/v1/models": replayed(f"openai/{server}/models")},
        replayed(f"openai/{server}/not_found"),
    )
    found, requests = looked_at(script, path)
    engine, models = OPENAI[server]
    assert (found.dialect, found.engine, found.models) == ("openai", engine, models)
    assert found.how == "GET /v1/models answered 200"
    assert not found.refused
    # Who writes /v1 is asked there first.
    assert len(requests) == (1 if path.endswith("/v1") else 2)
    assert {request.method for request in requests} == {"GET"}


@pytest.mark.parametrize(
    ("entries", "engine"),
    [
        ([{"owned_by": "me", "permissions": []}], "llama-cpp-python"),
        ([{"owned_by": "me", "object": "model", "created": 1}], ""),
        ([{"owned_by": "me"}], ""),
        ([{"id": "m:7b", "created": 1, "owned_by": "library"}], "Ollama"),
        ([{"id": "ada/m:7b", "created": 1, "owned_by": "ada"}], "Ollama"),
        ([{"id": "hf.co/ada/m:Q4", "created": 1, "owned_by": "ada"}], "Ollama"),
        ([{"created": 1, "owned_by": "library"}], ""),
        ([{"id": "m:7b", "created": 1, "owned_by": "openai"}], ""),
        ([{"object": "model", "owned_by": "organization_owner"}], "LM Studio"),
        ([{"publisher": "a", "compatibility_type": "gguf"}], "LM Studio"),
        ([{"object": "model", "owned_by": "organization_owner", "created": 1}], ""),
        ([{"owned_by": "vllm"}, {"owned_by": "vllm"}], "vLLM"),
        ([{"owned_by": "vllm"}, {"owned_by": "openai"}], ""),
        ([{"owned_by": "my-vllm"}], ""),
        ([{"owned_by": None}], ""),
        ([{}], ""),
        ([], ""),
    ],
)
def test_the_software_is_named_only_where_it_names_itself(
    entries: list[dict[str, object]], engine: str
) -> None:
    listed = document({"object": "list", "data": [{"id": "m", **e} for e in entries]})
    found, _ = looked_at(routes({"/v1/models": listed}))
    assert (found.dialect, found.engine) == ("openai", engine)


def test_what_was_found_is_said_in_words() -> None:
    found = Found("openai", "vLLM", 2)
    assert str(found) == "OpenAI-compatible (vLLM), 2 models"
    assert str(Found("gpt-gm")) == "gpt-gm"


@pytest.mark.parametrize(
    "case",
    [
        "fastchat/auth_none_models",
        "h2ogpt_openai_server/auth_none_models",
        "llama_cpp_server/auth_wrong_models",
        "vllm_api_server/auth_none_models",
        "xllamacpp/auth_none_models",
    ],
)
def test_a_server_that_refuses_is_known_by_where_it_refuses(case: str) -> None:
    refusal = replayed(f"openai/{case}")
    found, _ = looked_at(routes({"/v1/models": refusal}))
    assert (found.dialect, found.refused) == ("openai", True)


def test_a_server_that_refuses_everything_is_known_by_the_shape_of_that() -> None:
    # llama.cpp looks at the key before the path.
    found, requests = looked_at(lambda _: replayed("openai/xllamacpp/auth_none_models"))
    assert (found.dialect, found.engine, found.refused) == ("openai", "llama.cpp", True)
    assert len(requests) == 2


@pytest.mark.parametrize(
    "case",
    [
        "h2ogpt_openai_server/rate_limit_models",
        "xllamacpp/loading_models",
        "litellm_proxy/auth_wrong_models",
    ],
)
def test_a_server_that_cannot_answer_now_is_known_all_the_same(case: str) -> None:
    busy = replayed(f"openai/{case}")
    found, _ = looked_at(routes({"/v1/models": busy}))
    assert (found.dialect, found.refused) == ("openai", False)


LISTED = replayed("chat-ui/api-models")
REFUSED = replayed("openai/vllm_api_server/auth_none_models")


@pytest.mark.parametrize(
    "answers",
    [
        {"/api/models": LISTED},
        {"/api/models": replayed("chat-ui/login-required-api-models")},
        {"/__data.json": replayed("chat-ui/data-json-root")},
    ],
)
@pytest.mark.parametrize("prefix", ["", "/chat"])
def test_chat_ui_from_2024_is_refused_with_what_to_do(
    answers: Mapping[str, Answer], prefix: str
) -> None:
    below = {f"{prefix}{path}": reply for path, reply in answers.items()}
    page = replayed("chat-ui/no-such-page")
    with serving(routes(below, page)) as server:
        url = server.url + prefix
        with pytest.raises(ConfigurationError) as caught:
            detect(Endpoint(url))
    assert str(caught.value) == (
        f"{url} is a HuggingChat-style chat-ui, which is not supported "
        f"(GET {next(iter(answers))}): connect to the OpenAI-compatible server behind "
        "it instead"
    )
    assert len(set(server.calls())) == len(server.requests) <= 5


@pytest.mark.parametrize("path", ["/v1/models", "/__data.json"])
def test_what_chat_ui_refuses_does_not_make_it_another_server(path: str) -> None:
    refusal = document({"error": "You have to be logged in."}, status=401)
    with (
        serving(routes({"/api/models": LISTED, path: refusal})) as server,
        pytest.raises(ConfigurationError, match="HuggingChat-style chat-ui"),
    ):
        detect(Endpoint(server.url))


def test_an_openai_server_that_has_a_list_like_chat_ui_is_one_all_the_same() -> None:
    both = {"/api/models": LISTED, "/v1/models": document({"data": [{"id": "a"}]})}
    assert looked_at(routes(both))[0].dialect == "openai"
    refusing = {"/api/models": LISTED, "/v1/models": REFUSED}
    assert looked_at(routes(refusing), "/v1")[0].dialect == "openai"


@pytest.mark.parametrize(
    ("case", "prefix"),
    [
        ("data-json-root", ""),
        ("aug2023-data-json-root", ""),
        ("base-path-data-json", "/chat"),
    ],
)
def test_chat_ui_of_2023_is_known_by_its_page(case: str, prefix: str) -> None:
    page = replayed(f"gpt-gm/{case}")
    script = routes({f"{prefix}/__data.json": page}, replayed("gpt-gm/no-such-route"))
    found, requests = looked_at(script, prefix)
    assert (found.dialect, found.models) == ("gpt-gm", 3)
    asked = ["/api/models", "/v1/models", "/models", "/openai/v1/models"]
    if prefix:
        asked = ["/models", "/v1/models", "/api/models"]
    assert [r.path for r in requests] == [prefix + p for p in (*asked, "/__data.json")]


def test_a_page_without_models_is_one_of_2023_all_the_same() -> None:
    page = document({"type": "data", "nodes": [{"type": "data", "data": [{}]}]})
    found, _ = looked_at(routes({"/__data.json": page}))
    assert (found.dialect, found.models) == ("gpt-gm", None)


def test_a_refused_page_is_one_of_2023() -> None:
    refused = replayed("gpt-gm/login-required-401")
    found, _ = looked_at(routes({"/__data.json": refused}))
    assert (found.dialect, found.refused) == ("gpt-gm", True)


def test_a_server_of_this_package_is_asked_in_the_dialect_that_says_more() -> None:
    models = [{"id": name, "owned_by": "h2o_magic"} for name in "ab"]
    both = {"/api/models": document(models), "/v1/models": document({"data": models})}
    found, _ = looked_at(routes(both))
    assert str(found) == "OpenAI-compatible (h2o_magic), 2 models"


def test_a_gpt_gm_server_is_known_by_its_refusal() -> None:
    refused = replayed("gpt-gm/login-required-401")
    found, requests = looked_at(lambda _: refused)
    assert (found.dialect, found.refused) == ("gpt-gm", True)
    assert len(requests) == 1


def test_the_local_server_itself_is_known_with_its_key_and_without(home: Path) -> None:
    endpoint = locate.find_or_start()
    found = detect(endpoint)
    own = ("openai", "h2o_magic")
    assert (found.dialect, found.engine, found.refused) == (*own, False)
    assert found.models is not None
    assert found.models >= 5
    found = detect(Endpoint(endpoint.url))
    assert (found.dialect, found.engine, found.refused) == (*own, True)


# Nothing fits


def test_what_was_tried_is_reported_in_one_line() -> None:
    answers: Mapping[str, Answer] = {
        "/api/models": NOTHING,
        "/v1/models": answer(b"<title>Welcome</title>", content_type="text/html"),
        "/__data.json": answer(b"", status=500),
    }
    said, calls = nothing_fits(routes(answers))
    assert said == (
        "URL is not a supported server (GET /api/models: 404, Not Found; "
        "GET /v1/models: 200, Welcome; GET /models: 404, Not Found; "
        "GET /openai/v1/models: 404, Not Found; GET /__data.json: 500): if it speaks "
        "the OpenAI API without a list of models, `%h2o connect URL --dialect openai` "
        "(other dialects: gpt-gm)"
    )
    assert len(calls) == 5


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"<p>hi</p>", content_type="text/html"),
        answer(b"null"),
        answer(b"[]"),
        answer(b"[1, null]"),
        answer(b'{"data": "x"}'),
        answer(b'{"data": null}'),
        answer(b'{"type": "data"}'),
        answer(b"[" * 100_000),
        answer(b""),
        answer(b'{"error": {"message": "no", "code": 404}}', status=404),
        answer(b'{"error": "Internal"}', status=500),
        replayed("openai/litellm_proxy/auth_none_models"),
    ],
    ids=range(12),
)
def test_an_answer_of_another_shape_is_no_sign(reply: Answer) -> None:
    said, calls = nothing_fits(lambda _: reply)
    assert said.startswith("URL is not a supported server")
    assert len(calls) == 5


def test_a_page_that_makes_no_sense_is_still_a_page() -> None:
    page = document({"type": "data", "nodes": [{"type": "data", "data": [{"a": 7}]}]})
    assert looked_at(routes({"/__data.json": page}))[0].models is None


@pytest.mark.parametrize("key", [None, KEY])
def test_who_refuses_everything_alike_wants_a_key(key: str | None) -> None:
    refusal = replayed("openai/h2ogpt_openai_server/auth_none_models")
    said, calls = nothing_fits(lambda _: refusal, key)
    assert ("it requires another key" if key else "it requires a key") in said
    assert len(calls) == 5


def test_a_redirect_is_reported_and_neither_followed_nor_given_the_key() -> None:
    with serving(lambda _: document({"data": []})) as other:
        target = f"{other.url}/v1/models?secret=1"
        away = answer(b"", status=307, headers={"Location": target})
        said, calls = nothing_fits(lambda _: away, KEY)
        assert other.requests == []
        assert f"GET /v1/models: 307, a redirect to '{other.url}/v1/models'" in said
    assert said.endswith("connect to the address that it redirects to if you trust it")
    assert "secret" not in said
    assert len(calls) == 5


def test_the_key_goes_along_and_is_not_shown_when_the_server_sends_it_back() -> None:
    def echo(request: Request) -> Answer:
        words = f"who are you, {request.headers['authorization']}?" + "x" * 70 + KEY
        return document({"error": words}, status=400)

    said, _ = nothing_fits(echo, KEY)
    assert "who are you, Bearer ***?" in said
    assert KEY not in said


def test_nobody_there_is_reported_after_one_try() -> None:
    with serving(lambda _: NOTHING) as server:
        url = f"{server.url}/lab"
    with pytest.raises(ConnectionFailedError) as caught:
        detect(Endpoint(url))
    assert str(caught.value).startswith(
        f"cannot connect to {url}: Connection refused: "
    )
    assert "`%h2o connect --scan` searches this machine" in str(caught.value)


def test_a_silent_server_is_reported_after_one_try() -> None:
    silent = Answer(b"", end="hold")
    with serving(lambda _: silent) as server, pytest.raises(TimedOutError):
        detect(Endpoint(server.url), timeouts=Timeouts(first_byte=0.1))
    assert len(server.requests) == 1


def test_a_route_that_breaks_off_is_one_that_does_not_fit() -> None:
    answers = {
        "/v1/models": DROP,
        "/__data.json": replayed("gpt-gm/data-json-root"),
    }
    assert looked_at(routes(answers))[0].dialect == "gpt-gm"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (b'{"data": null, "object": "list"}', 0),
        (b'{"data": [], "object": "list"}', 0),
        (b'[{"id": "a"}, {"id": "b"}]', 2),
    ],
)
def test_a_list_of_models_may_be_empty_or_bare(body: bytes, models: int) -> None:
    def script(request: Request) -> Answer:
        return answer(body) if request.path == "/v1/models" else NOTHING

    with serving(script) as server:
        found = detect(Endpoint(server.url))
        assert (found.dialect, found.models) == ("openai", models)
        with closing(OpenAIBackend(server.url)) as backend:
            assert len(backend.models()) == models
