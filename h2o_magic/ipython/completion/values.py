"""The values that options and subcommands take, as far as they can be known.

What a server or the store must be asked for is asked in the background, so that no
completion waits longer than :data:`WAIT`.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from h2o_magic.backends import registry
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.models import MODELS, BuiltIn
from h2o_magic.config.setting import Setting
from h2o_magic.conversation.formats import FORMATS
from h2o_magic.ipython import sessions
from h2o_magic.ipython.completion.words import Offer
from h2o_magic.ipython.namespace import is_the_shells

if TYPE_CHECKING:
    from h2o_magic.backends.base import Backend

#: Seconds that a completion waits at most for a server or the store.
WAIT = 0.15
#: Seconds for which the list of a server's models is not asked for again.
_KEPT = 30.0

#: What stands in the name of a variable that holds a key.
_KEY = re.compile("KEY|TOKEN|SECRET|PASS", re.IGNORECASE)

_T = TypeVar("_T")

_models: dict[str, tuple[float, tuple[str, ...]]] = {}
_asking: set[str] = set()


class Values:
    """What may stand as a value, in one shell."""

    def __init__(self, shell: Any) -> None:
        self.namespace: Mapping[str, Any] = visible(shell)
        self._current = sessions.of(shell)

    def of_option(
        self,
        names: tuple[str, ...],
        setting: Setting | None,
        metavar: str,
        begun: str,
    ) -> Iterator[Offer]:
        """Yield values of an option."""
        if setting is None:
            if "--thread" in names:
                yield from self._threads()
            elif metavar == "DIALECT":
                yield from (Offer(name, "value") for name in _dialects())
            elif metavar == "PRESET":
                yield from self._presets()
            elif metavar == "VAR":
                yield from (Offer(name, "value") for name in _key_variables())
            elif "FILE" in metavar.split("|"):
                yield from self._schemas() if "NAME" in metavar else ()
                yield from files(begun, (".json",) if "NAME" in metavar else ())
        elif setting.name == "model":
            yield from self._models()
            yield from files(begun, (".gguf",)) if begun else ()
        elif setting.name == "thread":
            yield from self._threads()
        else:
            yield from _of_setting(setting)

    def of_place(self, place: str, begun: str, command: str) -> Iterator[Offer]:
        """Yield what may stand in a place of a subcommand."""
        if place == "FILE":
            reads = command == "import"
            suffixes = (s for s, f in FORMATS.items() if f.read or not reads)
            yield from files(begun, tuple(suffixes))
        elif place == "NAME":
            yield from self._threads()
        elif place == "MODEL":
            yield from (
                Offer(name, "model")
                for name, entry in MODELS.items()
                if not isinstance(entry.source, BuiltIn)
            )
        elif place == "PRESET":
            yield from self._presets()
        elif place == "SERVER":
            yield from self._servers()
        elif place == "NAME=MODEL":
            yield from self._of_alias(begun)

    def _models(self) -> Iterator[Offer]:
        settings = self._current.settings
        server = str(settings["server"])
        names = models_of(server, lambda: self._backend(server))
        offered = dict.fromkeys([*names, *self._aliases(), str(settings["model"])])
        yield from (Offer(name, "model") for name in offered)

    def _of_alias(self, begun: str) -> Iterator[Offer]:
        """Yield the user's names, and behind the equals sign the models."""
        name, equals, _ = begun.partition("=")
        if equals:
            models = [offer.text for offer in self._models() if offer.text != name]
            yield from (Offer(f"{name}={model}", "model") for model in models)
        else:
            yield from (Offer(f"{alias}=", "model") for alias in self._aliases())

    def _aliases(self) -> list[str]:
        return in_time(lambda: list(self._current.aliases.all()), [])

    def _presets(self) -> Iterator[Offer]:
        none: list[str] = []
        names = in_time(lambda: list(self._current.presets.all()), none)
        yield from (Offer(name, "value") for name in names)

    def _servers(self) -> Iterator[Offer]:
        servers = self._current.servers
        none: list[str] = []
        names = in_time(lambda: [server.name for server in servers.known()], none)
        yield from (Offer(name, "server") for name in [*names, LOCAL])

    def _backend(self, server: str) -> Backend | None:
        """Return a way to a server of its own; None if the local one does not run."""
        if server:
            return self._current.servers.backend(server)
        from h2o_magic.backends.gptgm import GptGmBackend  # noqa: PLC0415
        from h2o_magic.backends.local import locate  # noqa: PLC0415

        state = locate.find_running()
        if state is None:
            return None
        return GptGmBackend(connection=lambda: state.endpoint)

    def _threads(self) -> Iterator[Offer]:
        name = str(self._current.settings["thread"])
        session = self._current.made  # a completion is no reason to make one
        names: Iterable[str] = ()
        if session is not None:
            names = in_time(session.record.thread_names, ())
        yield from (Offer(n, "thread") for n in dict.fromkeys([*names, name]))

    def _schemas(self) -> Iterator[Offer]:
        for name, value in sorted(self.namespace.items()):
            if not name.startswith("_") and isinstance(value, dict | type):
                yield Offer(name, "class" if isinstance(value, type) else "instance")


def visible(shell: Any) -> dict[str, Any]:
    """Return the user's names: not those that IPython has put there."""
    return {
        name: value
        for name, value in tuple(shell.user_ns.items())
        if isinstance(name, str) and not is_the_shells(shell, name)
    }


def _of_setting(setting: Setting) -> Iterator[Offer]:
    """Yield the values that a setting's row in the table tells."""
    if setting.choices:
        yield from (Offer(choice, "value") for choice in setting.choices)
    elif setting.kind in (int, float):
        known = dict.fromkeys([setting.default, *([None] if setting.optional else [])])
        for value in known:
            if value is not None or setting.optional:
                yield Offer(setting.write(value), "value")


def files(begun: str, suffixes: tuple[str, ...] = ()) -> list[Offer]:
    """Return files, and folders with a slash, that begin as a path does.

    Parameters
    ----------
    begun
        The path so far.
    suffixes
        The endings of the files that are wanted; none for all.
    """
    folder, name = os.path.split(begun)
    head = begun[: len(begun) - len(name)]
    found = []
    with suppress(OSError, ValueError):
        for entry in os.scandir(os.path.expanduser(folder) or "."):
            hidden = entry.name.startswith(".") and not name.startswith(".")
            if hidden or not entry.name.lower().startswith(name.lower()):
                continue
            if entry.is_dir():
                found.append(Offer(f"{head}{entry.name}/", "path"))
            elif not suffixes or entry.name.lower().endswith(suffixes):
                found.append(Offer(head + entry.name, "path"))
    return sorted(found)


def models_of(server: str, connect: Callable[[], Backend | None]) -> tuple[str, ...]:
    """Return the names of a server's models, or the known ones until it has answered.

    Parameters
    ----------
    server
        Its name or address; empty for the local one.
    connect
        Returns a way to it, to be closed again; None if there is none now.
    """
    asked, names = _models.get(server, (0.0, ()))
    fresh = names and time.monotonic() - asked < _KEPT
    if not fresh and server not in _asking:
        _asking.add(server)
        in_time(lambda: _ask(server, connect), None)
    return _models.get(server, (0.0, tuple(MODELS)))[1]


def in_time(work: Callable[[], _T], otherwise: _T) -> _T:
    """Return what `work` returns, or `otherwise` if that fails or takes too long.

    It runs in a thread of its own, to its end even if nobody waits for it any more.
    """
    found: list[_T] = []

    def run() -> None:
        with suppress(Exception):
            found.append(work())

    thread = threading.Thread(target=run, daemon=True, name="h2o_magic-completion")
    thread.start()
    thread.join(WAIT)
    return found[0] if found else otherwise


def _ask(server: str, connect: Callable[[], Backend | None]) -> None:
    try:
        backend = connect()
        if backend is not None:
            with closing(backend):
                names = tuple(model.name for model in backend.models())
            _models[server] = (time.monotonic(), names)
    finally:
        _asking.discard(server)


def _dialects() -> tuple[str, ...]:
    return (registry.AUTO, *registry.names())


def _key_variables() -> list[str]:
    """Return the variables of the environment that may hold a key, by their names."""
    return sorted(name for name in os.environ if _KEY.search(name))
