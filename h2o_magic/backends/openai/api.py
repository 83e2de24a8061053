"""The calls of the OpenAI dialect, one method for each.

The dialect is that of ``POST /v1/chat/completions`` and ``GET /v1/models``, as seven
servers speak it (tests/recordings/openai).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from h2o_magic.backends.http import (
    DEFAULT_CONNECTIONS,
    Cancellation,
    Endpoint,
    HttpClient,
    Response,
    Timeouts,
)
from h2o_magic.backends.openai.address import (
    address_of,
    below,
    read_address,
    without_list,
)
from h2o_magic.backends.openai.flavour import flavour_of
from h2o_magic.backends.openai.shapes import is_list, not_a_list
from h2o_magic.backends.own_server import OWN_HEADERS
from h2o_magic.errors import BackendError, ProtocolError, StatusError

# Some servers answer with a document although a stream was asked for.
_ACCEPT_STREAM = "text/event-stream, application/json;q=0.9"
_T = TypeVar("_T")
# Statuses of a list of models that a second request would not change.
_NO_LIST = frozenset({400, 401, 403, 404, 405, 500, 501})


class OpenAIClient:
    """A client of one OpenAI-compatible server; any threads may use it at once.

    Its address may leave open where the API is: that is where the first call finds it.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        timeouts: Timeouts,
        flavour: str | None = None,
        connections: int = DEFAULT_CONNECTIONS,
    ) -> None:
        address = read_address(url)
        self.url, self._root = url, address.root
        self._apis, self._questions = address.apis, address.questions
        self.timeouts = timeouts
        endpoint = Endpoint(self._root, token or None)
        self._transport = HttpClient(
            endpoint, timeouts=timeouts, connections=connections
        )
        self._recognising = threading.Lock()
        self.known_flavour = flavour  # None until its list of models was read
        self._refused: dict[str, frozenset[str]] = {}

    def ask(self, document: Mapping[str, Any], cancellation: Cancellation) -> Response:
        def post(api: str) -> Response:
            return self._transport.send(
                "POST",
                f"{api}/chat/completions",
                document=document,
                accept=_ACCEPT_STREAM,
                accepted=(200, 201, 203),  # as some frameworks answer
                cancellation=cancellation,
                headers=OWN_HEADERS if self.known_flavour == "h2o_magic" else {},
            )

        return self._first(self._questions, post, _is_missing)

    def models(
        self,
        cancellation: Cancellation | None = None,
        *,
        timeouts: Timeouts | None = None,
    ) -> object:
        """Return the list of models, as the server sends it."""

        def get(api: str) -> object:
            path = f"{api}/models"
            with self._transport.send(
                "GET", path, cancellation=cancellation, timeouts=timeouts
            ) as reply:
                document = reply.json()
            if not is_list(document, path):
                raise not_a_list(document)
            return document

        try:
            document = self._first(self._apis, get, _has_no_list)
        except (ProtocolError, StatusError) as error:
            if _is_nowhere(error) and len(self._apis) > 1:
                self.url = without_list(self.url)
                self._questions = read_address(self.url).questions
            raise
        self.known_flavour = flavour_of(document)
        return document

    def model(self, name: str) -> Any:
        path = f"{self._apis[0]}/models/{quote(name, safe='')}"
        with self._transport.send("GET", path) as reply:
            return reply.json()

    def flavour(self, cancellation: Cancellation | None = None) -> str:
        """Return what the server is; its list of models is requested for that once."""
        if self.known_flavour is None:
            with self._recognising:
                if self.known_flavour is None:
                    self._recognise(cancellation)
        return self.known_flavour or "standard"

    def _recognise(self, cancellation: Cancellation | None) -> None:
        try:
            self.models(cancellation)
        except (ProtocolError, StatusError) as error:
            if not _has_no_list(error):
                raise
            if _is_nowhere(error):
                self.known_flavour = "standard"

    def refused(self, model: str) -> frozenset[str]:
        """Return the fields that the server was found not to take for a model."""
        return self._refused.get(model, frozenset())

    def learn(self, model: str, refused: frozenset[str]) -> None:
        """Note fields that the server does not take for a model."""
        if not refused <= self.refused(model):
            self._refused[model] = self.refused(model) | refused

    # These calls are not part of the API, and so not below its version.

    def get(self, path: str, timeouts: Timeouts | None = None) -> Any:
        path = below(self._apis[0]) + path
        with self._transport.send("GET", path, timeouts=timeouts) as reply:
            return reply.json()

    def post(self, path: str, document: object) -> Any:
        path = below(self._apis[0]) + path
        with self._transport.send("POST", path, document=document) as reply:
            return reply.json()

    def close(self) -> None:
        self._transport.close()

    def _first(
        self,
        apis: Sequence[str],
        call: Callable[[str], _T],
        passes: Callable[[BackendError], bool],
    ) -> _T:
        """Return what the first place that has the API answers, and stay there.

        A failure that `passes` means that the API may be elsewhere.
        """
        failures: list[BackendError] = []
        try:
            for api in apis:
                try:
                    answer = call(api)
                except (ProtocolError, StatusError) as error:
                    if not passes(error):
                        raise
                    failures.append(error)
                else:
                    if apis != (api,):
                        self.url = address_of(self._root + api, self.url)
                        self._apis = self._questions = (api,)
                    return answer
            raise min(failures, key=_is_missing)
        finally:
            failures.clear()  # they hold this frame


def _is_missing(error: BackendError) -> bool:
    """Return whether a route is missing; a model may be, too."""
    if not isinstance(error, StatusError) or error.status not in (404, 405):
        return False
    return "model" not in error.server_message.lower()


def _is_nowhere(error: BackendError) -> bool:
    return isinstance(error, ProtocolError) or _is_missing(error)


def _has_no_list(error: BackendError) -> bool:
    return not isinstance(error, StatusError) or error.status in _NO_LIST
