"""What an OpenAI-compatible server says about its models, and how it counts tokens.

Only ``id`` is in the API; context lengths and sizes are what vLLM, llama.cpp, LM
Studio, hosted services and servers of this package add to it. Nor has it a call that
counts: vLLM, llama.cpp and servers of this package have one each, at their root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.http import QUICK
from h2o_magic.backends.http.error_body import part_of
from h2o_magic.backends.openai.api import OpenAIClient
from h2o_magic.backends.openai.messages import message_items
from h2o_magic.backends.openai.shapes import entries_of
from h2o_magic.backends.openai.vision import vision_of, with_capabilities
from h2o_magic.backends.own_server import count, text_of
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameter import Value
from h2o_magic.errors import ProtocolError, StatusError

_CONTEXT = (
    "max_model_len",
    "loaded_context_length",
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",  # LiteLLM
    "context_size",  # Novita
    *("n_ctx", "n_ctx_train"),  # llama.cpp; what it uses, what it could
)
#: Objects of an entry that may say it: of llama.cpp, LiteLLM, GitHub Models, DeepInfra,
#: and Open WebUI, which passes on what another server says.
_NESTED = ("meta", "model_info", "limits", "metadata", "openai")
_WEIGHTS = ("weights", "quantization")
#: Servers that list what they have in memory, unless they say otherwise.
_LOADED = ("vllm", "llamacpp")
_COUNT_OURS = "/v1/chat/completions/input_tokens"
# A proxy may let only the API itself through.
_NO_SUCH_CALL = frozenset({403, 404, 405, 501})
#: Where servers say how many questions they answer at once, by their flavour.
_SLOTS = {"h2o_magic": ("/health", "slots"), "llamacpp": ("/props", "total_slots")}
_Items = list[dict[str, Any]]


def models_of(document: object) -> list[ModelInfo]:
    """Return the models of an answer of ``GET /models``; skip entries without an id."""
    return [model_of(entry) for entry in entries_of(with_capabilities(document))]


def model_of(entry: Mapping[str, Any]) -> ModelInfo:
    nested = {n: v for n in _NESTED if isinstance(v := entry.get(n), dict)}
    meta = nested.get("meta", {})
    places = (entry, *nested.values())
    weights = [*map(entry.get, _WEIGHTS), meta.get("ftype")]
    return ModelInfo(
        name=entry["id"],
        weights=next((w for w in weights if isinstance(w, str)), ""),
        demo=entry.get("demo") is True,
        size=_first_count([meta.get("size"), entry.get("size")]),
        context=_first_count([p.get(name) for p in places for name in _CONTEXT]),
        loaded=_loaded(entry),
        licence=text_of(entry.get("license")),
        answered_by=text_of(entry.get("answered_by")),
        system=text_of(entry.get("system")),
        sampling=_sampling(entry.get("sampling")),
        vision=vision_of(entry),
    )


def _sampling(rows: object) -> dict[str, tuple[Value, str]]:
    return {
        name: (row["value"], text_of(row.get("from")))
        for name, row in (rows.items() if isinstance(rows, dict) else ())
        if isinstance(row, dict) and isinstance(row.get("value"), int | float)
    }


def _loaded(entry: Mapping[str, Any]) -> bool:
    # llama.cpp with several models; LM Studio
    state = part_of(entry, "status", "value") or entry.get("state")
    if isinstance(state, str):
        return state == "loaded"
    if isinstance(entry.get("loaded"), bool):
        return entry["loaded"] is True
    return entry.get("owned_by") in _LOADED


def _first_count(values: list[Any]) -> int | None:
    return next((v for v in values if type(v) is int and v > 0), None)


def slots(client: OpenAIClient) -> int | None:
    """Return how many questions the server answers at once; None if it does not say."""
    try:
        if client.known_flavour is None:
            client.models(timeouts=QUICK)
        path, name = _SLOTS.get(client.known_flavour or "", ("", ""))
        found = client.get(path, timeouts=QUICK) if path else None
        return count(part_of(found, name)) or None
    except (ProtocolError, StatusError):  # a proxy may let only the API through
        return None


def count_tokens(
    client: OpenAIClient, model: str, messages: Sequence[Message]
) -> int | None:
    """Return how many tokens `model` would read; sent only to servers that count.

    Only vLLM counts those of images.
    """
    flavour = client.flavour()
    counter = _COUNTERS.get(flavour)
    if counter is None or (flavour != "vllm" and any(m.images for m in messages)):
        return None
    try:
        return counter(client, model, message_items(messages))
    except ProtocolError:
        return None
    except StatusError as error:
        if error.status in _NO_SUCH_CALL:
            return None
        raise


def _count_vllm(client: OpenAIClient, model: str, items: _Items) -> int | None:
    answer = client.post("/tokenize", {"model": model, "messages": items})
    return count(part_of(answer, "count"))


def _count_llamacpp(client: OpenAIClient, model: str, items: _Items) -> int | None:
    template = {"model": model, "messages": items}
    prompt = part_of(client.post("/apply-template", template), "prompt")
    if not isinstance(prompt, str):
        return None
    text = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = part_of(client.post("/tokenize", {"model": model, **text}), "tokens")
    return len(tokens) if isinstance(tokens, list) else None


def _count_ours(client: OpenAIClient, model: str, items: _Items) -> int | None:
    document = {"model": model, "messages": items}
    return count(part_of(client.post(_COUNT_OURS, document), "input_tokens"))


_COUNTERS: Mapping[str, Callable[[OpenAIClient, str, _Items], int | None]] = {
    "vllm": _count_vllm,
    "llamacpp": _count_llamacpp,
    "h2o_magic": _count_ours,
}
