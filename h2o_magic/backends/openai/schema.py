"""Whether a server is known to hold an answer to a JSON schema.

Pure. Servers of this package say it themselves, with each answer. Others only take the
schema: llama.cpp, for one, makes what grammar it can of it, and notes in its log what
it left out (``not``, ``pattern`` without anchors, ``if``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.backends.openai.flavour import Flavour

#: vLLM's engine, and those that are built on llama.cpp.
_ENFORCING: frozenset[Flavour] = frozenset({"vllm", "llamacpp", "ollama", "lmstudio"})
#: What every one of them makes a grammar of, and what needs none.
_HELD = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "items",
        "maxItems",
        "minItems",
        "properties",
        "required",
        "type",
    }
)
_REMARKS = frozenset(
    {"$comment", "$schema", "default", "description", "examples", "title"}
)


def holds_to(schema: object, flavour: Flavour) -> bool:
    """Return whether a server of this flavour holds answers to all of `schema`."""
    if schema is None or flavour not in _ENFORCING:
        return False
    return all(set(part) <= _HELD | _REMARKS for part in _parts(schema))


def _parts(schema: object) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all those inside it, but for what is only remarked."""
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
