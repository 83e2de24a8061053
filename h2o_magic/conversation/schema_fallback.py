"""Asking with a schema, and without it where the server takes none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.chat.events import Event
from h2o_magic.errors import GenerationError, StatusError

#: What the servers of all dialects call a schema that they do not take.
_SCHEMA_WORDS = re.compile(r"response_format|json_schema|schema|grammar", re.IGNORECASE)


class SchemaFallback(Iterator[Event]):
    """The events of an answer; without the schema if the server refuses that."""

    def __init__(self, backend: Backend, request: ChatRequest) -> None:
        self._backend = backend
        self._request = request
        self._events = backend.stream(request)
        self._closed = False

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except (StatusError, GenerationError) as error:
            without = self._request.schema is None or self._closed or error.partial
            if without or not refuses_schema(error):
                raise
        self._request = replace(self._request, schema=None)
        self._events = self._backend.stream(self._request)
        return next(self._events)

    def close(self) -> None:
        """Stop the answer; from another thread, a ValueError if that cannot be."""
        self._closed = True
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


def refuses_schema(error: StatusError | GenerationError) -> bool:
    """Return whether a server refuses the schema of a request."""
    if isinstance(error, StatusError):
        # 500: llama_cpp.server's status for a field that it does not know.
        named = _SCHEMA_WORDS.search(error.server_message) is not None
        return error.status == 422 or (error.status in (400, 500) and named)
    return error.error_type == "validation" or bool(_SCHEMA_WORDS.search(str(error)))
