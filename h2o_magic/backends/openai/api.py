"""The calls of the OpenAI dialect, one method for each.

The dialect is that of ``POST /v1/chat/completions`` and ``GET /v1/models``, as seven
servers speak it (tests/recordings/openai).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from h2o_magic.backends.http import (
    Cancellation,
    Endpoint,
    HttpClient,
    Response,
    Timeouts,
)
from h2o_magic.backends.openai.flavour import flavour_of, split_address
from h2o_magic.backends.own_server import OWN_HEADERS
from h2o_magic.errors import ProtocolError, StatusError

# Some servers answer with a document although a stream was asked for.
_ACCEPT_STREAM = "text/event-stream, application/json;q=0.9"
_T = TypeVar("_T")
# Statuses of a list of models that a second request would not change.
_NO_LIST = frozenset({400, 401, 403, 404, 405, 500, 501})


class OpenAIClient:
    """A client of one OpenAI-compatible server; any threads may use it at once."""

    def __init__(
        self,
        url: str,
        token: str | None,
        timeouts: Timeouts,
        flavour: str | None = None,
    ) -> None:
        root, self._api = split_address(url)
        self.url = url
        self.timeouts = timeouts
        self._transport = HttpClient(Endpoint(root, token or None), timeouts=timeouts)
        self.known_flavour = flavour  # None until its list of models was read

    def ask(self, document: Mapping[str, Any], cancellation: Cancellation) -> Response:
        return self._transport.send(
            "POST",
            f"{self._api}/chat/completions",
            document=document,
            accept=_ACCEPT_STREAM,
            accepted=(200, 201, 203),  # as some frameworks answer a POST
            cancellation=cancellation,
            headers=OWN_HEADERS if self.known_flavour == "h2o_magic" else {},
        )

    def models(
        self,
        cancellation: Cancellation | None = None,
        *,
        read: Callable[[object], _T],
        timeouts: Timeouts | None = None,
    ) -> _T:
        """Return what `read` makes of the list of models."""
        with self._transport.send(
            "GET", f"{self._api}/models", cancellation=cancellation, timeouts=timeouts
        ) as reply:
            document = reply.json()
            self.known_flavour = flavour_of(document)
            return read(document)

    def model(self, name: str) -> Any:
        path = f"{self._api}/models/{quote(name, safe='')}"
        with self._transport.send("GET", path) as reply:
            return reply.json()

    def flavour(self, cancellation: Cancellation | None = None) -> str:
        """Return what the server is; its list of models is requested for that once."""
        if self.known_flavour is None:
            try:
                self.models(cancellation, read=flavour_of)
            except ProtocolError:
                self.known_flavour = "standard"
            except StatusError as error:
                if error.status not in _NO_LIST:
                    raise
        return self.known_flavour or "standard"

    # These calls are not part of the API, and so not below its version.

    def get(self, path: str) -> Any:
        with self._transport.send("GET", path) as reply:
            return reply.json()

    def post(self, path: str, document: object) -> Any:
        with self._transport.send("POST", path, document=document) as reply:
            return reply.json()

    def close(self) -> None:
        self._transport.close()
