"""Which program an OpenAI-compatible server is, as far as that makes a difference.

Pure. The list of models says it, in ``owned_by``: that of vLLM, llama.cpp,
llama_cpp.server, FastChat and h2oGPT is recorded (tests/recordings/openai), that of
Ollama and LM Studio is documented. Others (transformers, LiteLLM, text-generation-
inference, hosted services) cannot be told apart, and get what the API itself has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from h2o_magic.config.url import check_base_url

#: Each flavour with the program's name, and its ``owned_by``. A server of which nothing
#: is known but the dialect is "standard".
_PROGRAMS = (
    ("vllm", "vLLM", "vllm"),
    ("llamacpp", "llama.cpp", "llamacpp"),
    ("llama_cpp_server", "llama-cpp-python", "me"),
    ("fastchat", "FastChat", "fastchat"),
    ("h2ogpt", "h2oGPT", "h2o.ai"),
    ("ollama", "Ollama", "library"),
    ("lmstudio", "LM Studio", "organization_owner"),
    ("h2o_magic", "h2o_magic", "h2o_magic"),
)
#: The names of the programs, by flavour.
ENGINES = {flavour: name for flavour, name, _ in _PROGRAMS}
_OWNERS = {owner: flavour for flavour, _, owner in _PROGRAMS}

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

#: What an address ends with that was taken from an example.
_ROUTE = re.compile(r"(?<=/)(?:chat/completions|completions|models)$")
_VERSION = re.compile(r"/v\d+[a-z0-9]*")


def split_address(url: object) -> tuple[str, str]:
    """Return a server's root and the path of the API below it, ``/v1`` by default."""
    base = _ROUTE.sub("", check_base_url(url))
    path = urlsplit(base).path
    segment = path[path.rfind("/") :] if path else ""
    if _VERSION.fullmatch(segment):
        return base.removesuffix(segment), segment
    return base, "/v1"


def entries_of(document: object) -> Iterator[dict[str, Any]]:
    data = document.get("data") if isinstance(document, dict) else document
    for entry in data if isinstance(data, list) else []:
        named = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(named, str) and named:
            yield entry


def flavour_of(document: object) -> str:
    """Return the flavour of the server that sent this list of models."""
    owners = (str(entry.get("owned_by")).lower() for entry in entries_of(document))
    return next((_OWNERS[owner] for owner in owners if owner in _OWNERS), "standard")


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
