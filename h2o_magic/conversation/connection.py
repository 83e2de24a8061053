"""The server and the model that answer now."""

from __future__ import annotations

import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.local import locate
from h2o_magic.backends.registry import AUTO, local
from h2o_magic.backends.servers.connect import Connected
from h2o_magic.backends.servers.credentials import KeySource
from h2o_magic.backends.servers.known import is_address, same_server
from h2o_magic.backends.servers.model_cache import ModelList
from h2o_magic.chat.context import CAUTIOUS
from h2o_magic.chat.events import Event
from h2o_magic.config.aliases import Aliases
from h2o_magic.config.definitions import LOCAL, SERVER_NAME
from h2o_magic.config.forks import in_child
from h2o_magic.config.replay import ReplayChoice
from h2o_magic.config.settings import Settings
from h2o_magic.conversation import model_choice
from h2o_magic.conversation.answering import Answering, Serving
from h2o_magic.conversation.context_limits import KnownModel, ModelLimits, cut_of
from h2o_magic.conversation.fitting import BUDGET, SLOW_BUDGET
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.schema_fallback import SchemaFallback
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    TimedOutError,
    expect,
)

if TYPE_CHECKING:
    from h2o_magic.backends.servers.known import KnownServer
    from h2o_magic.backends.servers.servers import Servers
    from h2o_magic.conversation.replays import Replays

#: Where the server comes from that the session has connected to.
_CONNECT = "%h2o connect"
#: What the local server is called where a model comes from it.
_HERE = "this machine"


class Connection:
    """The server and the model in use, by the settings ``server`` and ``model``.

    `lock` is held while a question is prepared, so that the server is asked once.
    `servers` returns the known servers, when they are first needed. `connect` makes a
    backend of the setting ``server``; None for the local one and what `servers` knows.
    Folders of answers are below `folder`, by default the current one; `warn` gets a
    line if one cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        servers: Callable[[], Servers],
        aliases: Aliases,
        connect: Callable[[str], Backend] | None = None,
        backend: Backend | None = None,
        *,
        folder: Path | None = None,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        self._folder = folder or Path()
        self._warn = warn
        self.aliases = aliases
        self._renew()
        self._settings = settings
        self._make_servers = servers
        self._servers: Servers | None = None
        self._make_backend = connect or self._known_backend
        self._backend = backend
        self._limits: ModelLimits | None = None
        self._given = backend is not None  # by the program, not by the settings
        self._dialect = ""  # that the user has named
        self._settled = self._given  # the model is not to be asked for
        self._best: ModelInfo | None = None  # of the local server, when last asked
        settings.watch(self._on_setting)
        in_child(self._renew)

    def _renew(self) -> None:
        self.lock = threading.RLock()

    @property
    def servers(self) -> Servers:
        """The servers that are known, and looked for."""
        if self._servers is None:
            self._servers = self._make_servers()
        return self._servers

    @servers.setter
    def servers(self, servers: Servers) -> None:
        self._servers = servers

    @property
    def backend(self) -> Backend:
        if self._backend is None:
            self._backend = self._make_backend(str(self._settings["server"]))
        return self._backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self._backend, self._limits, self._given = backend, None, True

    @property
    def limits(self) -> ModelLimits:
        if self._limits is None:
            self._limits = ModelLimits(self.backend)
        return self._limits

    @property
    def cut(self) -> int | None:
        """The tokens to which the server cuts a question; None if it does not."""
        return cut_of(self.backend)

    def context(self, model: str) -> int | None:
        """Return a model's context length in tokens; None if unknown."""
        return self.limits.context(model)

    def vision(self, model: str) -> bool | None:
        """Return whether a model takes images; None if unknown."""
        return self.limits.vision(model)

    def rate(self, model: str) -> float:
        """Return about how many bytes of UTF-8 a token of the model has."""
        return self.limits.rate(model)

    def answering(self, question: Question) -> Answering:
        """Return what prepares and answers a question: the server, or what is stored.

        A ConfigurationError if it is to be asked again, and nobody may be asked.
        """
        if question.replay.mode == "off":
            return self
        choice = ReplayChoice.of(str(self._settings["replay"]))
        return self.replays.answering(
            self,
            question,
            self.serving(),
            learns=choice.mode == "refresh",  # a question alone learns for no other
        )

    def serving(self) -> Serving:
        """Return the server of now: it may be another one when it is asked."""
        server = str(self._settings["server"])
        if self._given:
            backend = self.backend
            kind = getattr(backend, "dialect", "") or type(backend).__name__
            return Serving(f"{kind} at {backend.url}", lambda: backend)
        name = server or LOCAL
        if self._dialect:  # the same server may speak several
            name = f"{name} ({self._dialect})"
        return Serving(
            name,
            partial(self._backend_of, server),
            local=not server,
            place=partial(self._place_of, server),
        )

    def at(self, server: str) -> Connection:
        """Return a connection to another server, under the settings of now."""
        settings = self._settings.copy()
        make = None if self._make_backend == self._known_backend else self._make_backend
        other = Connection(
            settings,
            lambda: self.servers,
            self.aliases,
            make,
            folder=self._folder,
            warn=self._warn,
        )
        other._dialect = self._dialect
        # Of another server, it is another model that answers where none was chosen.
        settings.set("server", "" if server == LOCAL else server)
        return other

    def _place_of(self, server: str) -> KnownServer | None:
        """Return what is known of a server, whose dialect is found out if need be."""
        if not server or self._make_backend != self._known_backend:
            return None
        known = self.servers.find(server)
        if not known.dialect:
            self._backend_of(server)
            known = self.servers.find(server)
        return known

    def _backend_of(self, server: str) -> Backend:
        if not self._given and self._settings["server"] == server:
            return self.backend
        return self._make_backend(server)

    def ask(self, backend: Backend, request: ChatRequest) -> Iterator[Event]:
        """Return the events of an answer; without the schema if that is refused."""
        return SchemaFallback(backend, request)

    def instead(self, request: ChatRequest) -> None:  # noqa: ARG002
        return None

    @cached_property
    def replays(self) -> Replays:
        """What is stored for the session, where answers are."""
        from h2o_magic.conversation.replays import Replays  # noqa: PLC0415 - few are

        return Replays(self._folder, self._key_texts, self._warn)

    @property
    def value_budget(self) -> int:
        """The usual number of tokens for a value: a processor reads some 200 a second.

        The engine of the local server uses a GPU on Macs only.
        """
        here = not self._settings["server"] and not self._settled
        return SLOW_BUDGET if here and sys.platform != "darwin" else BUDGET

    def learn(self, request: ChatRequest, tokens: int | None) -> None:
        """Learn from a request that was answered, of so many tokens by the server."""
        if self._limits is None:
            return
        if request.messages[-1].images:
            self._limits.has_seen(request.model)
        if tokens:
            self._limits.learn(request.model, request.messages, tokens)

    def disconnect(self) -> None:
        """Close the backend; the next question connects anew."""
        backend, self._backend, self._limits = self._backend, None, None
        if backend is not None:
            backend.close()

    def connect(
        self,
        server: str,
        *,
        name: str = "",
        dialect: str = "",
        key_env: str = "",
        key_ring: str = "",
        key_prompt: bool = False,
    ) -> Connected:
        """Connect to a server, and remember it under a name.

        If that fails, the session stays where it is.

        Parameters
        ----------
        server
            An address, the name of a known server, or ``local``.
        name
            What to call it; empty for its name, or one after its address.
        dialect
            ``openai``, ``gpt-gm``, the name of one that a plug-in adds, or ``auto`` to
            detect it anew; empty for what is known, or else detecting it.
        key_env, key_ring, key_prompt
            Where its key is: an environment variable, a service in the system's
            keyring, or True to ask the user for it. None of them for what is known of
            the server, or no key.

        Raises
        ------
        ConfigurationError
            If an argument is refused, or the key is missing.
        BackendError
            If the server does not answer, or refuses the key.
        """
        expect("a server", server, str)
        key = KeySource.from_options(
            key_env=key_env, key_ring=key_ring, key_prompt=key_prompt
        )
        if server in ("", LOCAL):
            if name or key or dialect:
                raise ConfigurationError(
                    "the local server has a name, a dialect and a key of its own: give "
                    "none"
                )
            self._settings.set("server", "", _CONNECT)
            return Connected(LOCAL, model=self._local_model())
        choice = ReplayChoice.of(str(self._settings["replay"]))
        stores = choice.mode != "off"
        if stores and (kept := self.replays.connected(choice, server, name, dialect)):
            self._use_as_stored(kept, name or server, server, key)
            self._dialect = dialect.replace(AUTO, "")
            return kept
        opened = self.servers.connect(server, name=name, dialect=dialect, key=key)
        self.disconnect()
        where = opened.server.name or opened.server.url
        self._settings.set("server", where, _CONNECT)
        self.backend, self._given = opened.backend, False
        self._dialect = dialect.replace(AUTO, "")
        models = opened.models or ()
        model_choice.settle(self._settings, models, where)
        with suppress(BackendError):  # which has just answered
            best = opened.backend.model()
            if best is not None:
                model_choice.adopt_default(self._settings, best.name, where)
        self._settled = True
        model = self.resolve()
        connected = opened.summary(model, model_choice.lacking(model, models))
        if stores:
            self.replays.keep_connected(choice, server, name, dialect, connected)
        return connected

    def _use_as_stored(
        self, kept: Connected, name: str, server: str, key: KeySource | None
    ) -> None:
        """Use a server that has answered before, without asking it.

        A folder that came from elsewhere does not say where a question or a key goes:
        that is the address that was given, or that of the server known by that name.
        """
        if is_address(server):
            usual = re.fullmatch(SERVER_NAME, kept.server) and kept.server != LOCAL
            name = kept.server if usual else server
        with suppress(ConfigurationError):
            entry = self.servers.find(server)
            dialect = entry.dialect or kept.dialect
            key = entry.key if key is None else key
            self.servers.remember(replace(entry, name=name, dialect=dialect, key=key))
        self._settings.set("server", name, _CONNECT)
        models = [ModelInfo(model) for model in kept.models]
        model_choice.settle(self._settings, models, name)

    def forget_server(self, name: str) -> KnownServer:
        """Forget a known server, by name or address; a session using it goes local."""
        gone = self.servers.forget(name)
        current = str(self._settings["server"])
        if current == gone.name or same_server(current, gone.url):
            self._settings.set("server", "", _CONNECT)
        return gone

    def models(self) -> list[ModelInfo]:
        """Return the models that the server offers."""
        models = self.backend.models()
        self.current_model_name()  # so that the list can mark the one that would answer
        self.servers.model_cache.put(self._address(), models)
        return models

    def listed_models(self) -> ModelList:
        """Return the server's models, or those it had when it last answered."""
        try:
            return ModelList(tuple(self.models()))
        except (ConnectionFailedError, TimedOutError) as error:
            last = self.servers.model_cache.get(self._address())
            if last is None:
                raise
            return replace(last, problem=str(error))

    def current_model(self) -> ModelInfo | None:
        """Return what the server says of the model that would answer; None if nothing.

        A local server that is not running is not started for that, and none is asked
        where `replay` is ``only``.
        """
        if ReplayChoice.of(str(self._settings["replay"])).mode == "only":
            return None
        if not self._settings["server"] and not _runs_here():
            return None
        with suppress(BackendError, ConfigurationError):
            return self.backend.model(self.current_model_name())
        return None

    def known(self, model: str) -> KnownModel:
        """Return what is known of a model; no server is asked, nor looked for."""
        limits, infos = self._limits, [self._best] if self._best else []
        infos += limits.listed if limits else ()
        with suppress(ConfigurationError):  # a server that is not known
            last = self.servers.model_cache.get(self._address())
            infos += last.models if last else ()
        info = next((each for each in infos if each.name == model), ModelInfo(model))
        rate = limits.rate(model) if limits else CAUTIOUS
        system = "" if self._settled else info.system
        cut = cut_of(self._backend)
        return KnownModel(info.context, cut, rate, system, info.vision)

    def sees(self) -> bool:
        """Return whether the current model is known to take images."""
        said = self._settings["vision"]
        return self.known(self.resolve()).vision is True if said is None else bool(said)

    def resolve(self, name: str | None = None) -> str:
        """Return the model that a name stands for; None for the setting ``model``."""
        named = str(self._settings["model"]) if name is None else name
        return model_choice.whole_path(self.aliases.model(named))

    def current_model_name(self) -> str:
        """Return the current model, asking anew: weights may have been pulled since."""
        server = str(self._settings["server"])
        if not self._settled and not model_choice.is_settled(self._settings):
            with suppress(BackendError):  # the question itself will show what is wrong
                if server:
                    models = self.backend.models()
                    model_choice.settle(self._settings, models, server)
                self._best = best = self.backend.model()
                if best is not None:
                    model_choice.adopt_default(
                        self._settings, best.name, server or _HERE
                    )
                self._settled = bool(server)
        return self.resolve()

    def adopt(self, model: str) -> None:
        """Use a model until the server changes, where none was chosen."""
        server = str(self._settings["server"])
        if model == self.resolve():
            return
        if server:
            model_choice.settle(self._settings, [ModelInfo(model)], server)
        else:
            model_choice.adopt_default(self._settings, model, _HERE)

    def recommended_system(self, model: str) -> str:
        """Return the system text that the local server recommends for a model."""
        if self._settled or self._settings["server"]:
            return ""
        if self._best is not None and self._best.name == model:
            return self._best.system
        with suppress(BackendError):  # the question itself will show what is wrong
            info = self.backend.model(model)
            return info.system if info else ""
        return ""

    def _key_texts(self) -> tuple[str, ...]:
        return self.servers.key_texts()

    def _known_backend(self, server: str) -> Backend:
        if server:
            return self.servers.backend(server)
        return local(lambda: cast(float, self._settings["server_idle_minutes"]))

    def _local_model(self) -> str:
        """Return the local server's current model; empty before it runs."""
        if not model_choice.is_chosen(self._settings) and not _runs_here():
            return ""
        return self.current_model_name()

    def _address(self) -> str:
        server = str(self._settings["server"])
        return self.servers.find(server).url if server else LOCAL

    def _on_setting(self, name: str) -> None:
        if name == "server":
            self.disconnect()
            model_choice.reset_default(self._settings)
            self._settled = self._given = False
            self._dialect = ""


def _runs_here() -> bool:
    return locate.find_running() is not None
