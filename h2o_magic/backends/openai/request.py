"""The body of a question to an OpenAI-compatible server, and how it may be repaired.

Pure. A parameter is there only if it was set, so none is dropped afterwards; only the
request for token counts is, where a server refuses it, and the oldest turns, where all
are too long. What a parameter is called, and which servers have it, is in the table of
parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai.messages import message_items
from h2o_magic.backends.openai.too_long import is_too_long, without_oldest
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import DEFAULT_LENGTH, PARAMETERS
from h2o_magic.errors import ParameterError

_USAGE = "stream_options"
_LENGTH, _NEW_LENGTH = "max_tokens", "max_completion_tokens"
_INSTEAD = re.compile(r"\bmax_completion_tokens\b\W{0,3}\s*instead")


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a question; `origins` are the parameters that its fields express.

    `dropped_turns` were left out since the model cannot hold them, and the fields
    `given_up` since the server does not take them.
    """

    document: Mapping[str, Any]
    origins: Mapping[str, str]
    dropped_turns: int = 0
    given_up: frozenset[str] = frozenset()

    def refused(self, words: str) -> str | None:
        fields = [f for f in (_USAGE, *self.origins) if f in self.document]
        return next(
            (f for f in fields if re.search(rf"\b{re.escape(f)}\b", words)), None
        )

    def repaired(self, words: str) -> Body | None:
        """Return the body that a server which refuses with `words` may take, if any."""
        field = self.refused(words)
        if field == _USAGE or (field == _LENGTH and _INSTEAD.search(words)):
            return self.without([field])
        return self._shortened(words) if is_too_long(words) else None

    def without(self, fields: Iterable[str]) -> Body:
        """Return the body for a server that does not take these fields."""
        document, origins = self.document, self.origins
        if _USAGE in fields:
            document = {name: v for name, v in document.items() if name != _USAGE}
        if _LENGTH in fields:
            document, origins = _renamed(document), _renamed(origins)
        return replace(
            self,
            document=document,
            origins=origins,
            given_up=self.given_up.union(fields),
        )

    def _shortened(self, words: str) -> Body | None:
        lengths = (self.document.get(name) for name in (_LENGTH, _NEW_LENGTH))
        length = next((n for n in lengths if isinstance(n, int)), DEFAULT_LENGTH)
        kept, dropped = without_oldest(self.document["messages"], words, length)
        if not dropped:
            return None
        document = {**self.document, "messages": kept}
        return replace(
            self, document=document, dropped_turns=self.dropped_turns + dropped
        )


def _renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {_NEW_LENGTH if name == _LENGTH else name: v for name, v in fields.items()}


def needs_flavour(request: ChatRequest) -> bool:
    """Return whether what is sent depends on the flavour of the server."""
    differs = (PARAMETERS[n].servers or n == "extra" for n in request.parameters)
    sets = any(differs) or is_repeatable(request.parameters)
    return request.schema is not None or request.strict or sets


def is_repeatable(parameters: Mapping[str, Value]) -> bool:
    """Return whether the same question is to give the same answer."""
    greedy = parameters.get("temperature") == 0 or parameters.get("do_sample") is False
    return greedy or "seed" in parameters


def make_body(request: ChatRequest, flavour: str, server: str) -> Body:
    fields, origins = _fields(request.parameters, flavour, server)
    document: dict[str, Any] = {
        "model": request.model,
        "messages": message_items(request.messages),
        "stream": True,
        _USAGE: {"include_usage": True},
        **fields,
    }
    if request.schema is not None:
        named = {"name": "answer", "schema": request.schema, "strict": True}
        document["response_format"] = {"type": "json_schema", "json_schema": named}
    if flavour == "h2o_magic" and request.strict:
        document["strict"] = True
    for field, value in _extra(request.parameters).items():
        _refuse_twice(field, document, flavour)
        document[field], origins[field] = value, "extra"
    if flavour == "h2o_magic" and is_repeatable(request.parameters):
        # Reading only the new part of a prompt rounds differently from reading it all.
        document.setdefault("cache_prompt", False)
    return Body(document, origins)


def _fields(
    parameters: Mapping[str, Value], flavour: str, server: str
) -> tuple[dict[str, Value], dict[str, str]]:
    fields: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for name, value in parameters.items():
        if name == "extra" or (name == "do_sample" and value):
            continue
        field = PARAMETERS[name].field(flavour)
        if not field:
            raise _unknown(name, value, flavour, server)
        # The API has no `do_sample`; a temperature of 0 is the same as false.
        fields[field] = 0 if name == "do_sample" else value
        origins[field] = name
    return fields, origins


def _extra(parameters: Mapping[str, Value]) -> Mapping[str, Any]:
    extra = parameters.get("extra", {})
    return extra if isinstance(extra, Mapping) else {}


def _refuse_twice(field: str, document: Mapping[str, Any], flavour: str) -> None:
    """Refuse a field of `extra` that an option sets, or the question itself."""
    known = {_NEW_LENGTH: PARAMETERS["max_new_tokens"]}
    known |= {
        row.field(flavour): row
        for row in reversed(list(PARAMETERS.values()))
        if row.field(flavour)
    }
    if field in known:
        raise ParameterError(
            f"`extra` must not have the field `{field}`: use {known[field].option}"
        )
    if field in document:
        raise ParameterError(
            f"`extra` must not have the field `{field}`, which every question sets: "
            "leave it out"
        )


def _unknown(name: str, value: Value, flavour: str, server: str) -> ParameterError:
    which = "an OpenAI-compatible server" if flavour == "standard" else flavour
    option = json.dumps({name: value})
    return ParameterError(
        f"`{name}` cannot be sent to {server}: {which} is not known to support it; "
        "leave it out, or set it to None where it is a setting (if the server does "
        f"support it: --extra '{option}')"
    )
