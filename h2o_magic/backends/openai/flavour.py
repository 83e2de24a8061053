"""Which program an OpenAI-compatible server is, as far as that makes a difference.

Pure. The list of models says it: all its entries name the program in ``owned_by``, or
have a form that only this program's have. Those of vLLM, llama.cpp, llama_cpp.server,
FastChat and h2oGPT are recorded (tests/recordings/openai), those of Ollama and LM
Studio documented. Others (transformers, LiteLLM, text-generation-inference, hosted
services) cannot be told apart, and get what the API itself has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from h2o_magic.backends.openai.shapes import entries_of

#: The names of the programs, by flavour. A server of which nothing is known but the
#: dialect is "standard".
ENGINES = {
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "llama_cpp_server": "llama-cpp-python",
    "fastchat": "FastChat",
    "h2ogpt": "h2oGPT",
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "h2o_magic": "h2o_magic",
}
#: Flavours by the ``owned_by`` that is a program's own name.
_OWNERS = {name: name for name in ("vllm", "llamacpp", "fastchat", "h2o_magic")}
_OWNERS["h2o.ai"] = "h2ogpt"

#: Enforce a JSON schema: vLLM's engine, and those that are built on llama.cpp. Servers
#: of this package refuse what they cannot enforce.
_ENFORCING = frozenset({"vllm", "llamacpp", "ollama", "lmstudio"})
#: The parts of a schema that all of them enforce, and those that need nothing. Of
#: others (``not``, ``pattern`` without anchors, ``if``) llama.cpp only logs a warning.
_ENFORCED = {
    *("$defs", "$ref", "additionalProperties", "anyOf", "const", "enum", "items"),
    *("maxItems", "minItems", "properties", "required", "type"),
    *("$comment", "$schema", "default", "description", "examples", "title"),
}


def flavour_of(document: object) -> str:
    """Return the flavour of the server that sent this list of models."""
    entries = list(entries_of(document))
    owners = {str(entry.get("owned_by")).lower() for entry in entries}
    if len(owners) == 1 and (named := _OWNERS.get(*owners)):
        return named
    found = (f for f, fits in _FORMS.items() if entries and all(map(fits, entries)))
    return next(found, "standard")


def _is_of_llama_cpp_server(entry: Mapping[str, Any]) -> bool:
    # Others write `permission`, and when the model was created.
    mine = entry.get("owned_by") == "me" and entry.get("permissions") == []
    return mine and "created" not in entry


def _is_of_ollama(entry: Mapping[str, Any]) -> bool:
    """Return whether the owner is the namespace in a model's name that has a tag."""
    name, tag, _ = entry["id"].rpartition(":")
    namespace = ["library", *name.split("/")][-2]
    return bool(tag) and "created" in entry and entry.get("owned_by") == namespace


def _is_of_lmstudio(entry: Mapping[str, Any]) -> bool:
    ours = {"publisher", "compatibility_type"} <= set(entry)  # below /api/v0
    # Others say when a model was created.
    plain = set(entry) == {"id", "object", "owned_by"}
    return ours or (plain and entry["owned_by"] == "organization_owner")


_FORMS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "llama_cpp_server": _is_of_llama_cpp_server,
    "ollama": _is_of_ollama,
    "lmstudio": _is_of_lmstudio,
}


def enforces(schema: object, flavour: str) -> bool:
    """Return whether servers of a flavour are known to enforce all of `schema`."""
    if schema is None or flavour not in _ENFORCING:
        return schema is not None and flavour == "h2o_magic"
    return all(set(part) <= _ENFORCED for part in _parts(schema))


def _parts(schema: object) -> Iterator[Mapping[str, Any]]:
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping):
            continue  # true and false are schemas, too
        yield part
        for name in ("properties", "$defs"):
            inner = part.get(name)
            waiting += inner.values() if isinstance(inner, Mapping) else ()
        waiting += [part.get("items"), part.get("additionalProperties")]
        choices = part.get("anyOf")
        waiting += choices if isinstance(choices, list | tuple) else ()
