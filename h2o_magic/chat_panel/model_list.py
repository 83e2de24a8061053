"""The models that could answer: those of the known servers, and on this machine.

What is known is sent at once. Then each server is asked in a thread of its own, unless
that goes on already, and what it lists is sent as it comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from functools import partial
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.local import locate
from h2o_magic.backends.servers.known import KnownServer
from h2o_magic.chat_panel.messages import in_a_line
from h2o_magic.config.models import (
    DEMO_MODEL,
    BuiltIn,
    CatalogueEntry,
    Package,
    find_model,
    title_of,
)
from h2o_magic.config.units import size_in_words
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.weights.cache import unreadable
from h2o_magic.weights.files import (
    DEFAULT,
    Weights,
    find_weights,
    known_weights,
    projector_of,
)
from h2o_magic.weights.listing import list_models

_Row = dict[str, Any]


class ModelList:
    """Groups of models, passed to `send` as JSON values, in any thread."""

    def __init__(self, session: Session, send: Callable[[_Row], None]) -> None:
        self._session = session
        self._send = send
        self._lock = threading.Lock()
        self._asking: set[str] = set()

    def ask(self) -> None:
        """Send what is known, and then what the servers list."""
        for server in self._servers():
            self._send(self._last(server) | {"asking": True})
            self._in_background(key_of(server), partial(self._ask, server))
        self._send({"kind": "here", "asking": True})
        self._in_background("", self._look_here)

    def _servers(self) -> list[KnownServer]:
        servers = self._session.servers
        known = list(servers.known())
        if current := str(self._session.settings["server"]):
            with suppress(ConfigurationError):
                found = servers.find(current)
                return known if found in known else [found, *known]
        return known

    def _in_background(self, server: str, ask: Callable[[], None]) -> None:
        with self._lock:
            if server in self._asking:
                return
            self._asking.add(server)

        def run() -> None:
            try:
                ask()
            finally:
                self._asking.discard(server)

        threading.Thread(target=run, name="h2o_magic-models", daemon=True).start()

    def _last(self, server: KnownServer) -> _Row:
        """Return a server's group as it was when it last listed its models."""
        last = self._session.servers.model_cache.get(server.url)
        return _group(server, () if last is None else last.models)

    def _ask(self, server: KnownServer) -> None:
        try:
            group = _group(server, self._models(server))
        except Exception as error:  # that of a plug-in may be any
            group = self._last(server) | {"problem": plain_line(error)}
        self._send(group)

    def _models(self, server: KnownServer) -> Iterable[ModelInfo]:
        key = key_of(server)
        if key == current_server(self._session):
            return self._session.models()
        with closing(self._session.servers.backend(key)) as backend:
            models = backend.models()
        self._session.servers.model_cache.put(server.url, models)
        return models

    def _look_here(self) -> None:
        here: _Row = {"kind": "here"}
        try:
            if not locate.is_installed():
                raise MissingExtraError("the local server", "local")
            here["problem"] = unreadable()
            known = known_weights()
            here["models"] = [_best(), *_installed(known)]
            self._send({"kind": "download", "models": list(_missing(known))})
        except Exception as error:  # a damaged installation may raise any
            here["problem"] = plain_line(error)
        self._send(here)


def key_of(server: KnownServer) -> str:
    """Return what the setting ``server`` names a server by."""
    return server.name or server.url


def current_server(session: Session) -> str:
    """Return the key of the current server; empty for the local one."""
    server = str(session.settings["server"])
    if server:
        with suppress(ConfigurationError):
            return key_of(session.servers.find(server))
    return server


def plain_line(error: BaseException) -> str:
    """Return an error's text in one line, where a page shows no Markdown."""
    return in_a_line(error).replace("`", "")


def _group(server: KnownServer, models: Iterable[ModelInfo]) -> _Row:
    rows = [_row(model) for model in models]
    return {
        "kind": "server",
        "server": key_of(server),
        "url": server.url,
        "models": rows,
    }


def _row(model: ModelInfo) -> _Row:
    note = f"{title_of(model.answered_by)} stands in" if model.answered_by else ""
    return {
        "name": model.name,
        "title": title_of(model.name),
        "size": size_in_words(model.size) if model.size else "",
        "context": model.context,
        "vision": model.vision,
        "note": "built-in demo weights" if model.demo else note,
    }


def _best() -> _Row:
    """Return the row of the choice that this package makes."""
    best = find_weights(DEFAULT)
    model = DEMO_MODEL if best is None or best.demo else best.model
    return {"name": "", "title": "Best on this machine", "note": title_of(model)}


def _installed(known: Iterable[Weights]) -> Iterable[_Row]:
    own = [weights for weights in known if not weights.is_stand_in]
    for weights, row in zip(own, list_models((), own), strict=True):
        yield {
            "name": weights.listed_as,
            "title": title_of(weights.listed_as),
            "size": size_in_words(weights.size),
            "context": row["context_length"],
            "vision": projector_of(weights.path) is not None,
            "note": weights.note,
        }


def _missing(known: Iterable[Weights]) -> Iterable[_Row]:
    for weights in known:
        entry = find_model(weights.listed_as) if weights.is_stand_in else None
        if entry is not None and not isinstance(entry.source, BuiltIn):
            yield {
                "name": entry.name,
                "title": title_of(entry.name),
                "size": size_in_words(entry.size),
                "note": entry.note,
                "licence": _licence(entry),
            }


def _licence(entry: CatalogueEntry) -> str:
    source = entry.source
    return source.licence if isinstance(source, Package) else ""
