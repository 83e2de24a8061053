"""Which models a chat-ui server offers.

``/api/models`` lists them as plain JSON since January 2024, ``/api/v2/models`` as
superjson since June 2025 (tests/recordings/chat-ui, ``api-models``, ``api-v2-models``).
"""

from __future__ import annotations

from h2o_magic.backends import ModelInfo
from h2o_magic.backends.chatui.calls import ChatUICalls
from h2o_magic.errors import BackendError, ProtocolError, StatusError

__all__ = ["list_models", "models_of"]

_PATHS = ("/api/models", "/api/v2/models")


def list_models(calls: ChatUICalls) -> list[ModelInfo]:
    """Return the server's models.

    Raises
    ------
    BackendError
        If the server is not reached, refuses, or lists none.
    """
    failure: BackendError | None = None
    for path in _PATHS:
        try:
            return models_of(calls.get(path))
        except StatusError as error:
            if error.status != 404:
                raise
            failure = failure or error
        except ProtocolError as error:
            failure = failure or error
    raise failure or ProtocolError("the server lists no models")


def models_of(document: object) -> list[ModelInfo]:
    """Return the models of a list, plain or in superjson; unlisted ones left out.

    Raises
    ------
    ProtocolError
        If it is no list.
    """
    listed = document.get("json") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise ProtocolError(f"expected a list of models, got {document!r:.200}")
    return [
        ModelInfo(entry["id"], context=_context(entry))
        for entry in listed
        if isinstance(entry, dict)
        and isinstance(entry.get("id"), str)
        and entry.get("unlisted") is not True
    ]


def _context(entry: dict[str, object]) -> int | None:
    """Return the context length, where the server passes its provider's words on."""
    for name in ("context_length", "contextLength"):
        value = entry.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
