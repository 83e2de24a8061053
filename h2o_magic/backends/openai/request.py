"""The body of a question to an OpenAI-compatible server, and what may go from it.

Pure. A parameter is there only if somebody set it, so none is left out afterwards; only
the wish for token counts is, where a server refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.backends import ChatRequest
from h2o_magic.backends.openai.flavour import Flavour
from h2o_magic.backends.openai.parameters import fields_of, needs_flavour

__all__ = ["Body", "asks_for_flavour", "make_body"]

_USAGE = "stream_options"
_LENGTH, _NEW_LENGTH = "max_tokens", "max_completion_tokens"
_INSTEAD = re.compile(r"\bmax_completion_tokens\b\W{0,3}\s*instead")


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a question.

    Attributes
    ----------
    document : mapping
        The JSON document that is sent.
    origins : mapping
        The parameter that each field stands for, where it stands for one.
    """

    document: Mapping[str, Any]
    origins: Mapping[str, str]

    def refused(self, words: str) -> str | None:
        """Return the field that a server's refusal names, if it was sent."""
        fields = [f for f in (_USAGE, *self.origins) if f in self.document]
        return next((f for f in fields if re.search(rf"\b{f}\b", words)), None)

    def mended(self, words: str) -> Body | None:
        """Return the body that a server which says `words` may take, if there is one.

        Parameters
        ----------
        words
            What the server said when it refused this body.
        """
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
    held = request.schema is not None
    return held or request.strict or needs_flavour(request.parameters)


def make_body(request: ChatRequest, flavour: Flavour, server: str) -> Body:
    """Return the body of a question.

    Parameters
    ----------
    request
        What is asked.
    flavour
        What the server is.
    server
        Its address, for errors.

    Raises
    ------
    ParameterError
        If the server cannot be told a parameter that somebody set.
    """
    fields = fields_of(request.parameters, flavour=flavour, server=server)
    document: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "stream": True,
        _USAGE: {"include_usage": True},
        **dict(fields.values()),
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
    return Body(document, {wire: name for name, (wire, _) in fields.items()})
