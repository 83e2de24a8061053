"""Which models take images, by what their servers say."""

from __future__ import annotations

from typing import Any

import pytest

from h2o_magic.conversation.context_limits import ModelLimits
from tests.backends.recorded_openai import load
from tests.backends.scripted import Answer, document, events
from tests.backends.test_openai_backend import OpenAIScript, backend_of, refusal


def listing(*entries: dict[str, Any], **beside: Any) -> OpenAIScript:
    script = OpenAIScript()
    data = [{"object": "model", **entry} for entry in entries]
    script.models = document({"object": "list", "data": data, **beside})
    return script


def modalities(*names: str) -> dict[str, Any]:
    return {"architecture": {"input_modalities": list(names), "modality": "text"}}


@pytest.mark.parametrize(
    ("said", "vision"),
    [
        # of this package's server
        ({"vision": True}, True),
        ({"vision": False}, False),
        # llama.cpp, OpenRouter, Hugging Face's router
        (modalities("text", "image"), True),
        (modalities("text"), False),
        ({"architecture": {"modality": "text->text"}}, None),
        # GitHub Models, and others
        ({"supported_input_modalities": ["text", "image", "audio"]}, True),
        ({"supported_input_modalities": ["text"]}, False),
        ({"input_modalities": ["image", "text"]}, True),
        # Mistral
        ({"capabilities": {"completion_chat": True, "vision": True}}, True),
        ({"capabilities": {"completion_chat": True, "vision": False}}, False),
        ({"capabilities": {"chat_completion": True}}, None),
        # LM Studio
        ({"type": "vlm"}, True),
        ({"type": "llm", "capabilities": ["tool_use"]}, False),
        ({"type": "embeddings"}, None),
        # LiteLLM
        ({"model_info": {"supports_vision": True}}, True),
        ({"model_info": {"supports_vision": False}}, False),
        ({"model_info": {"supports_vision": None}}, None),
        # nothing, or nothing of use
        ({}, None),
        ({"vision": "yes", "capabilities": None, "architecture": []}, None),
        ({"type": ["vlm"], "model_info": 1, "input_modalities": "image"}, None),
    ],
)
def test_the_list_says_it(said: dict[str, Any], vision: bool | None) -> None:
    with backend_of(listing({"id": "m", **said})) as (backend, server):
        (model,) = backend.models()
        assert model.vision is vision
        assert ModelLimits(backend).vision("m") is vision
        assert {call.partition(" ")[0] for call in server.calls()} == {"GET"}


def test_older_llama_cpp_says_it_beside_the_list() -> None:
    told = {"text": ["completion"], "eyes": ["completion", "multimodal"]}
    beside = [{"name": n, "model": n, "capabilities": c} for n, c in told.items()]
    script = listing({"id": "text"}, {"id": "eyes"}, {"id": "else"}, models=beside)
    with backend_of(script) as (backend, _):
        found = {model.name: model.vision for model in backend.models()}
    assert found == {"text": False, "eyes": True, "else": None}


@pytest.mark.parametrize(
    ("server", "vision"),
    [
        ("xllamacpp", False),
        *((name, None) for name in ("vllm_api_server", "litellm_proxy", "fastchat")),
        ("llama_cpp_server", None),
    ],
)
def test_recorded_servers_are_asked_for_their_list_only(
    server: str, vision: bool | None
) -> None:
    script = OpenAIScript()
    script.models = load(f"{server}/models").answer()
    with backend_of(script) as (backend, recorded):
        limits = ModelLimits(backend)
        name = backend.models()[0].name
        for _ in range(2):
            assert limits.vision(name) is vision
        limits.context(name)
        assert recorded.calls() == ["GET /v1/models"] * 2  # one is this test's


PROPS = {"modalities": {"vision": True, "audio": False}}
SHOW = {"capabilities": ["completion", "vision"], "model_info": {}}


@pytest.mark.parametrize(
    ("owner", "call", "answer", "vision"),
    [
        ("llamacpp", "GET /props", PROPS, True),
        ("llamacpp", "GET /props", {"modalities": {"vision": False}}, False),
        ("llamacpp", "GET /props", {"total_slots": 1}, None),
        ("library", "POST /api/show", SHOW, True),
        ("library", "POST /api/show", {"capabilities": ["completion"]}, False),
        ("library", "POST /api/show", {"details": {}}, None),
        ("organization_owner", "GET /api/v0/models/m", {"type": "vlm"}, True),
        ("organization_owner", "GET /api/v0/models/m", {"type": "llm"}, False),
        ("organization_owner", "GET /api/v0/models/m", [], None),
        ("organization_owner", "GET /api/v0/models/m", None, None),
    ],
)
def test_some_servers_are_asked_of_the_model_once(
    owner: str, call: str, answer: Any, vision: bool | None
) -> None:
    script = OpenAIScript(owner=owner)
    script.others[call.partition(" ")[2]] = document(answer)
    with backend_of(script, "/v1") as (backend, server):
        limits = ModelLimits(backend)
        for _ in range(2):
            limits.context("m")
            assert limits.vision("m") is vision
        assert server.calls() == ["GET /v1/models", call]
        if "show" in call:
            assert server.requests[-1].json == {"model": "m"}


def test_a_list_that_says_it_needs_no_other_call() -> None:
    script = listing({"id": "m", "owned_by": "llamacpp", **modalities("image")})
    with backend_of(script) as (backend, server):
        assert ModelLimits(backend).vision("m") is True
        assert server.calls() == ["GET /v1/models"]


@pytest.mark.parametrize(
    "answer", [refusal("Not Found", 404), refusal("key?", 401), events("<p>")]
)
def test_a_server_that_refuses_the_call_says_nothing(answer: Answer) -> None:
    script = OpenAIScript(owner="library")
    script.others["/api/show"] = answer
    with backend_of(script) as (backend, _):
        assert backend.vision("m") is None


def test_our_own_server_is_asked_of_a_model_that_it_does_not_list() -> None:
    script = OpenAIScript(owner="h2o_magic")
    entry = {"id": "x", "owned_by": "h2o_magic", "vision": True}
    with backend_of(script) as (backend, server):
        limits = ModelLimits(backend)
        limits.context("m")
        script.models = document(entry)
        script.others["/v1/models/x"] = document(entry)
        assert limits.vision("x") is True
        assert server.calls() == ["GET /v1/models", "GET /v1/models/x"]


def test_a_server_that_does_not_answer_says_nothing() -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        server.close()
        limits = ModelLimits(backend)
        assert limits.vision("m") is None


def test_a_backend_of_a_plug_in_need_not_know() -> None:
    class Older:
        def models(self) -> list[Any]:
            return []

    older: Any = Older()
    assert ModelLimits(older).vision("m") is None
