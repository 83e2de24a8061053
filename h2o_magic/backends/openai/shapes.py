"""What the answers of the OpenAI API look like: lists of models, and errors. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from h2o_magic.backends.http.error_body import part_of, unlisted
from h2o_magic.errors import ProtocolError


def entries_of(document: object) -> Iterator[dict[str, Any]]:
    data = document.get("data") if isinstance(document, dict) else document
    for entry in data if isinstance(data, list) else []:
        named = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(named, str) and named:
            yield entry


def is_list(document: object, path: str = "") -> bool:
    """Return whether an answer of GET `path` is a list of models; it may be empty.

    A bare list is one, but not where chat-ui and Docker Model Runner have theirs.
    """
    if isinstance(document, dict):
        data = document.get("data")
        empty = data is None and document.get("object") == "list"
        return isinstance(data, list) or empty
    bare = path not in ("/models", "/api/models")
    return bare and any(True for _ in entries_of(document))


def not_a_list(document: object) -> ProtocolError:
    return ProtocolError(
        f"GET /models: expected a list of models in `data`, got {document!r:.200}: "
        "check that the address is that of an OpenAI-compatible server"
    )


def is_error(document: object) -> bool:
    """Return whether a document has the form of OpenAI's errors."""
    error = part_of(unlisted(document), "error")
    return isinstance(error, dict) and "message" in error and "type" in error
