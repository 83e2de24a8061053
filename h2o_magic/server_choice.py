"""Which server answers, and what models it has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from h2o_magic import model_choice
from h2o_magic.aliases import Aliases
from h2o_magic.backends import Backend, ModelInfo
from h2o_magic.backends.registry import local
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    TimedOutError,
)
from h2o_magic.exchange import Exchange
from h2o_magic.setting_table import LOCAL
from h2o_magic.settings import Settings

# Who asks the local server only needs none of these, and the first answer waits.
if TYPE_CHECKING:
    from h2o_magic.connecting import Connected
    from h2o_magic.keys import KeySource
    from h2o_magic.known_servers import KnownServer
    from h2o_magic.model_lists import Listed
    from h2o_magic.servers import Servers

__all__ = ["ServerChoice"]

#: Where the server comes from that the session has connected to.
_CONNECT = "connect"
#: What the local server is called where a model comes from it.
_HERE = "this machine"


class ServerChoice:
    """The setting ``server``, and what follows from it.

    Attributes
    ----------
    aliases : Aliases
        The user's names for models.

    Parameters
    ----------
    exchange
        Holds the backend, and gives it back when the setting changes.
    settings
        The settings in force, of which ``server`` and ``model`` may change.
    servers
        Returns the servers that are known; called when they are first needed.
    aliases
        The attribute; others may take its place.
    settled
        True if the current model is not to be looked for on the server.
    """

    def __init__(
        self,
        exchange: Exchange,
        settings: Settings,
        servers: Callable[[], Servers],
        aliases: Aliases,
        *,
        settled: bool,
    ) -> None:
        self._exchange = exchange
        self._settings = settings
        self._make_servers = servers
        self._servers: Servers | None = None
        self.aliases = aliases
        self._settled = settled
        self._best: ModelInfo | None = None  # of the local server, when last asked
        settings.watch(self._on_setting)

    @property
    def servers(self) -> Servers:
        """The servers that are known, and looked for."""
        if self._servers is None:
            self._servers = self._make_servers()
        return self._servers

    @servers.setter
    def servers(self, servers: Servers) -> None:
        self._servers = servers

    def backend(self, server: str) -> Backend:
        """Return the way to a server; empty for the local one."""
        if server:
            return self.servers.backend(server)
        return local(lambda: cast(float, self._settings["server_idle_minutes"]))

    def connect(
        self, server: str, *, name: str, dialect: str, key: KeySource | None
    ) -> Connected:
        """Go to a server, and keep it; `server` and the others may be empty."""
        from h2o_magic.connecting import connected  # noqa: PLC0415

        if server in ("", LOCAL):
            if name or key or dialect:
                raise ConfigurationError(
                    "the local server has its name, its dialect and its key: give none"
                )
            self._settings.set("server", "", _CONNECT)
            return connected(None, self._local_model(), "")
        reached = self.servers.reach(server, name=name, dialect=dialect, key=key)
        self._exchange.disconnect()
        where = reached.server.name or reached.server.url
        self._settings.set("server", where, _CONNECT)
        self._exchange.backend = reached.backend
        models = reached.models or ()
        model_choice.settle(self._settings, models, where)
        with suppress(BackendError):  # which has just answered
            best = reached.backend.model()
            if best is not None:
                model_choice.adopt(self._settings, best.name, where)
        self._settled = True
        model = self._current_model()
        return connected(reached, model, model_choice.lacking(model, models))

    def forget(self, name: str) -> KnownServer:
        """Forget a known server; whoever is on it goes to the local one."""
        from h2o_magic.known_servers import same_server  # noqa: PLC0415

        gone = self.servers.forget(name)
        current = str(self._settings["server"])
        if current == gone.name or same_server(current, gone.url):
            self._settings.set("server", "", _CONNECT)
        return gone

    def models(self) -> list[ModelInfo]:
        """Return what the server offers, and keep the list."""
        models = self._exchange.backend.models()
        self.model_at_hand()  # so that the list can mark the one that would answer
        self.servers.lists.keep(self._address(), models)
        return models

    def current_model(self) -> ModelInfo | None:
        """Return what the server says of the model that would answer; None if nothing.

        Raises
        ------
        BackendError
            If the server does not answer.
        """
        name = self.model_at_hand()
        return self._exchange.backend.model(name)

    def listed_models(self) -> Listed:
        """Return what the server offers, or offered when it answered last."""
        from h2o_magic.model_lists import Listed  # noqa: PLC0415

        try:
            return Listed(tuple(self.models()))
        except (ConnectionFailedError, TimedOutError) as error:
            last = self.servers.lists.find(self._address())
            if last is None:
                raise
            return replace(last, problem=str(error))

    def model(self, name: str) -> str:
        """Return the model that a name stands for."""
        return model_choice.whole_path(self.aliases.model(name))

    def model_at_hand(self) -> str:
        """Return the current model; where nobody chose one, that which a server lends.

        The local server is asked each time, since weights may have been pulled since.
        """
        server = str(self._settings["server"])
        if not self._settled and not model_choice.is_chosen(self._settings):
            with suppress(BackendError):  # the question itself will show what is wrong
                self._settle(self._exchange.backend, server)
                self._settled = bool(server)
        return self._current_model()

    def recommended_system(self, model: str) -> str:
        """Return the system text that the local server recommends for a model."""
        if self._settled or self._settings["server"]:
            return ""
        if self._best is not None and self._best.name == model:
            return self._best.system
        with suppress(BackendError):  # the question itself will show what is wrong
            info = self._exchange.backend.model(model)
            return info.system if info else ""
        return ""

    def _settle(self, backend: Backend, server: str) -> None:
        if server:
            model_choice.settle(self._settings, backend.models(), server)
        self._best = best = backend.model()
        if best is not None:
            model_choice.adopt(self._settings, best.name, server or _HERE)

    def _local_model(self) -> str:
        """Return the local server's current model; empty before it runs."""
        from h2o_magic import embedded  # noqa: PLC0415

        if not model_choice.is_chosen(self._settings) and embedded.running() is None:
            return ""
        return self.model_at_hand()

    def _current_model(self) -> str:
        return self.model(str(self._settings["model"]))

    def _address(self) -> str:
        server = str(self._settings["server"])
        return self.servers.find(server).url if server else LOCAL

    def _on_setting(self, name: str) -> None:
        if name == "server":
            self._exchange.disconnect()
            model_choice.give_back(self._settings)
            self._settled = False
