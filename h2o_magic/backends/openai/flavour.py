"""Which program an OpenAI-compatible server is, as far as that makes a difference.

Pure. The list of models says it, in ``owned_by``: that of vLLM, llama.cpp,
llama_cpp.server, FastChat and h2oGPT is recorded (tests/recordings/openai), that of
Ollama and LM Studio is documented. Others (transformers, LiteLLM, text-generation-
inference, hosted services) cannot be told apart, and get what the API itself has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

#: "standard" is a server of which nothing is known but the dialect.
Flavour: TypeAlias = Literal[
    "standard",
    "vllm",
    "llamacpp",
    "llama_cpp_server",
    "fastchat",
    "h2ogpt",
    "ollama",
    "lmstudio",
    "h2o_magic",
]

_OWNERS: dict[str, Flavour] = {
    "vllm": "vllm",
    "llamacpp": "llamacpp",
    "me": "llama_cpp_server",
    "fastchat": "fastchat",
    "h2o.ai": "h2ogpt",
    "library": "ollama",
    "organization_owner": "lmstudio",
    "h2o_magic": "h2o_magic",
}


def entries_of(document: object) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list of models that name a model."""
    data = document.get("data") if isinstance(document, dict) else document
    for entry in data if isinstance(data, list) else []:
        named = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(named, str) and named:
            yield entry


def flavour_of(document: object) -> Flavour:
    """Return the flavour of the server that gave this list of models."""
    owners = (str(entry.get("owned_by")).lower() for entry in entries_of(document))
    return next((_OWNERS[owner] for owner in owners if owner in _OWNERS), "standard")
