"""The body of a question to an OpenAI-compatible server, and what may go from it.

Pure. A parameter is there only if somebody set it, so none is left out afterwards; only
the wish for token counts is, where a server refuses it. What a parameter is called, and
which servers have it, is in the table of parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai.flavour import Flavour
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.errors import ParameterError

_USAGE = "stream_options"
_LENGTH, _NEW_LENGTH = "max_tokens", "max_completion_tokens"
_INSTEAD = re.compile(r"\bmax_completion_tokens\b\W{0,3}\s*instead")


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a question."""

    document: Mapping[str, Any]
    origins: Mapping[str, str]

    def refused(self, words: str) -> str | None:
        """Return the field that a server's refusal names, if it was sent."""
        fields = [f for f in (_USAGE, *self.origins) if f in self.document]
        return next(
            (f for f in fields if re.search(rf"\b{re.escape(f)}\b", words)), None
        )

    def mended(self, words: str) -> Body | None:
        """Return the body that a server which says `words` may take, if any."""
        field = self.refused(words)
        if field == _LENGTH and _INSTEAD.search(words):
            return self._renamed(field, _NEW_LENGTH)
        if field != _USAGE:
            return None
        kept = {name: v for name, v in self.document.items() if name != field}
        return replace(self, document=kept)

    def _renamed(self, field: str, new: str) -> Body:
        def rename(name: str) -> str:
            return new if name == field else name

        return Body(
            {rename(name): value for name, value in self.document.items()},
            {rename(name): value for name, value in self.origins.items()},
        )


def asks_for_flavour(request: ChatRequest) -> bool:
    """Return whether what is sent depends on the flavour of the server."""
    differs = (PARAMETERS[n].servers or n == "extra" for n in request.parameters)
    return request.schema is not None or request.strict or any(differs)


def make_body(request: ChatRequest, flavour: Flavour, server: str) -> Body:
    """Return the body of a question."""
    fields, origins = _fields(request.parameters, flavour, server)
    document: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "stream": True,
        _USAGE: {"include_usage": True},
        **fields,
    }
    if request.schema is not None:
        named = {"name": "answer", "schema": request.schema, "strict": True}
        document["response_format"] = {"type": "json_schema", "json_schema": named}
    if flavour == "h2o_magic":
        # What this package's own server has beyond the API: it counts tokens exactly,
        # and so leaves out the oldest turns where the estimate here was too low.
        document["truncation"] = "auto"
        if request.strict:
            document["strict"] = True
    for field, value in _extra(request.parameters).items():
        _refuse_twice(field, document, flavour)
        document[field], origins[field] = value, "extra"
    return Body(document, origins)


def _fields(
    parameters: Mapping[str, Value], flavour: Flavour, server: str
) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the fields of parameters, and by each the parameter it stands for."""
    fields: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for name, value in parameters.items():
        if name == "extra" or (name == "do_sample" and value):
            continue
        field = PARAMETERS[name].field(flavour)
        if not field:
            raise _unknown(name, value, flavour, server)
        # The API's word for the most likely token each time is a temperature of 0.
        fields[field] = 0 if name == "do_sample" else value
        origins[field] = name
    return fields, origins


def _extra(parameters: Mapping[str, Value]) -> Mapping[str, Any]:
    extra = parameters.get("extra", {})
    return extra if isinstance(extra, Mapping) else {}


def _refuse_twice(field: str, document: Mapping[str, Any], flavour: Flavour) -> None:
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
            f"`extra` must not have the field `{field}`, which each question sets "
            "itself: leave it out"
        )


def _unknown(name: str, value: Value, flavour: Flavour, server: str) -> ParameterError:
    which = "an OpenAI-compatible server" if flavour == "standard" else flavour
    option = json.dumps({name: value})
    return ParameterError(
        f"`{name}` cannot be sent to {server}: {which} is not known to obey it; leave "
        "it out, or set it to None where it is a setting (if the server does take it: "
        f"--extra '{option}')"
    )
