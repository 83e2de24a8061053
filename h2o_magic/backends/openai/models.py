"""What an OpenAI-compatible server says of its models.

Pure. Only ``id`` is in the API; context lengths and sizes are what vLLM, llama.cpp,
LM Studio, hosted services and servers of this package add to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.openai.flavour import entries_of
from h2o_magic.config.parameter import Value
from h2o_magic.errors import ProtocolError

_CONTEXT = (
    "max_model_len",
    "loaded_context_length",
    "context_length",
    "context_window",
    "max_context_length",
)
_META_CONTEXT = ("n_ctx", "n_ctx_train")  # llama.cpp; what it uses, what it could
_WEIGHTS = ("weights", "quantization")
#: Servers that list what they have in memory, unless they say otherwise.
_LOADED = ("vllm", "llamacpp")


def models_of(document: object) -> list[ModelInfo]:
    """Return the models of an answer of ``GET /models``; entries without id are none.

    Raises
    ------
    ProtocolError
        If it is no such answer.
    """
    data = document.get("data") if isinstance(document, dict) else document
    if data is None and isinstance(document, dict) and document.get("object") == "list":
        return []  # a server without any model (Ollama)
    if not isinstance(data, list):
        raise ProtocolError(
            f"GET /models: expected a list of models in `data`, got {document!r:.200}: "
            "check that the address is that of an OpenAI-compatible server"
        )
    return [model_of(entry) for entry in entries_of(document)]


def model_of(entry: Mapping[str, Any]) -> ModelInfo:
    """Return what an entry that names a model says of it."""
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    weights = [*map(entry.get, _WEIGHTS), meta.get("ftype")]
    return ModelInfo(
        name=entry["id"],
        weights=next((w for w in weights if isinstance(w, str)), ""),
        demo=entry.get("demo") is True,
        size=_first_count([meta.get("size"), entry.get("size")]),
        context=_first_count(
            [*map(entry.get, _CONTEXT), *map(meta.get, _META_CONTEXT)]
        ),
        loaded=_loaded(entry),
        licence=_text(entry.get("license")),
        answered_by=_text(entry.get("answered_by")),
        system=_text(entry.get("system")),
        sampling=_sampling(entry.get("sampling")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sampling(told: object) -> dict[str, tuple[Value, str]]:
    """Return the model's own parameters: those of this package's server."""
    rows = told.items() if isinstance(told, dict) else ()
    return {
        name: (row["value"], _text(row.get("from")))
        for name, row in rows
        if isinstance(row, dict) and isinstance(row.get("value"), int | float)
    }


def _loaded(entry: Mapping[str, Any]) -> bool:
    status = entry.get("status")  # llama.cpp with several models
    state = status.get("value") if isinstance(status, dict) else entry.get("state")
    if isinstance(state, str):  # LM Studio, too
        return state == "loaded"
    if isinstance(entry.get("loaded"), bool):
        return entry["loaded"] is True
    return entry.get("owned_by") in _LOADED


def _first_count(values: list[Any]) -> int | None:
    return next((v for v in values if type(v) is int and v > 0), None)
