"""Whether a model takes images, as far as servers say; the API itself has no such fact.

Most say it in their list of models: llama.cpp, OpenRouter and Hugging Face's router
(``architecture``), Mistral and older llama.cpp (``capabilities``), GitHub Models,
LiteLLM, and servers of this package. Some are asked about each model: Ollama, LM Studio
and llama.cpp. vLLM does not say it at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from h2o_magic.backends.http.error_body import part_of
from h2o_magic.backends.openai.api import OpenAIClient
from h2o_magic.backends.openai.shapes import entries_of
from h2o_magic.errors import ProtocolError, StatusError

_MODALITIES = ("input_modalities", "supported_input_modalities")
_KINDS = {"vlm": True, "llm": False}  # of LM Studio


def with_capabilities(document: object) -> object:
    """Return a list of models with what older llama.cpp lists beside it."""
    beside = document.get("models") if isinstance(document, dict) else None
    if not isinstance(beside, list):
        return document
    said = {m.get("model"): m.get("capabilities") for m in map(_object, beside)}
    data = [{"capabilities": said.get(e["id"]), **e} for e in entries_of(document)]
    return {**_object(document), "data": data}


def vision_of(entry: Mapping[str, Any]) -> bool | None:
    """Return whether a model's entry says that it takes images; None if it does not."""
    capabilities = entry.get("capabilities")
    facts = (
        entry.get("vision"),
        part_of(capabilities, "vision"),
        part_of(entry, "model_info", "supports_vision"),
        part_of(entry, "modalities", "vision"),
        _KINDS.get(str(entry.get("type"))),
    )
    lists = [part_of(entry, "architecture", _MODALITIES[0])]
    lists += [entry.get(name) for name in _MODALITIES]
    found = [fact for fact in facts if isinstance(fact, bool)]
    found += ["image" in names for names in lists if isinstance(names, list)]
    if isinstance(capabilities, list):
        found.append(not {"vision", "multimodal"}.isdisjoint(map(str, capabilities)))
    return found[0] if found else None


def ask_vision(client: OpenAIClient, model: str) -> bool | None:
    """Ask a server that says it of each model alone; others are sent nothing."""
    ask = _ASKED.get(client.flavour())
    if ask is None:
        return None
    try:
        return vision_of(_object(ask(client, model)))
    except (ProtocolError, StatusError):  # a proxy may let only the API through
        return None


_ASKED: Mapping[str, Callable[[OpenAIClient, str], Any]] = {
    "llamacpp": lambda client, _: client.get("/props"),
    "ollama": lambda client, model: client.post("/api/show", {"model": model}),
    "lmstudio": lambda client, model: client.get(f"/api/v0/models/{quote(model)}"),
}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
