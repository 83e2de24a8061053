"""The values that options and commands take, as far as they can be known.

What a server or the store must be asked for is asked in the background, so that no
completion waits longer than :data:`WAIT`.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from h2o_magic.backends import registry
from h2o_magic.backends.local import locate
from h2o_magic.config import replay
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.models import MODELS, BuiltIn
from h2o_magic.config.parameter import Parameter
from h2o_magic.conversation.formats import FORMATS
from h2o_magic.ipython.completion.cursor import Offer
from h2o_magic.ipython.failures import get_failures
from h2o_magic.ipython.namespace import user_names
from h2o_magic.ipython.sessions import get_state

if TYPE_CHECKING:
    from h2o_magic.backends.base import Backend

#: Seconds that a completion waits at most for a server or the store.
WAIT = 0.15
#: Seconds for which the list of a server's models is not asked for again.
_KEPT = 30.0

#: What stands in the name of a variable that holds a key.
_KEY = re.compile("KEY|TOKEN|SECRET|PASS", re.IGNORECASE)

_models: dict[str, tuple[float, tuple[str, ...]]] = {}
_asking: set[str] = set()


class Values:
    """The values that options and commands take in one shell."""

    def __init__(self, shell: Any) -> None:
        self.namespace = user_names(shell)
        self.numbered = {
            "In": shell.user_ns.get("In", []),
            "Out": shell.user_ns.get("Out", {}),
            "Err": get_failures(shell).tracebacks,
        }
        self._state = get_state(shell)

    def of_option(
        self, metavar: str, begun: str, setting: Parameter | None
    ) -> Iterator[Offer]:
        """Yield the values of an option, which has a setting or only a metavar."""
        if setting is None:
            if metavar != "NAME":
                yield from self.of_place(metavar, begun, "")
        elif setting.name == "model":
            yield from _offers(self._models(), "model")
            yield from files(begun, (".gguf",)) if begun else ()
        elif setting.name == "thread":
            yield from self.of_place("NAME", begun, "")
        elif setting.name == "replay":
            yield from _of_replay(begun)
        elif setting.choices:
            yield from _offers(setting.choices)
        elif setting.kind in (int, float):
            if setting.default is not None:
                yield Offer(setting.write(setting.default), "value")
            if setting.optional:
                yield Offer(setting.nothing, "value")

    def of_place(self, metavar: str, begun: str, command: str) -> Iterator[Offer]:
        """Yield what may stand for a word of a usage line."""
        match metavar:
            case "FILE":
                reads = command == "import"
                suffixes = [s for s, f in FORMATS.items() if f.read or not reads]
                yield from files(begun, tuple(suffixes))
            case "NAME|FILE":
                yield from self._schemas()
                yield from files(begun, (".json",))
            case "NAME":
                yield from _offers(self._threads(), "thread")
            case "MODEL" if command in ("pull", "rm"):
                for name, entry in MODELS.items():
                    if not isinstance(entry.source, BuiltIn):
                        yield Offer(name, "model")
            case "MODEL":
                yield from _offers(self._models(), "model")
            case "PRESET":
                yield from _offers(in_time(self._state.user.presets.all))
            case "SERVER":
                servers = self._state.user.servers
                known = in_time(lambda: [server.name for server in servers.known()])
                yield from _offers([*known, LOCAL], "server")
            case "NAME=MODEL":
                yield from self._of_alias(begun)
            case "DIALECT":
                yield from _offers([registry.AUTO, *registry.names()])
            case "VAR":
                names = (name for name in os.environ if _KEY.search(name))
                yield from _offers(sorted(names))

    def _models(self) -> Iterable[str]:
        settings = self._state.settings
        server = str(settings["server"])
        names = models_of(server, lambda: self._backend(server))
        return dict.fromkeys([*names, *self._aliases(), str(settings["model"])])

    def _of_alias(self, begun: str) -> Iterator[Offer]:
        """Yield the user's names, and behind the equals sign the models."""
        name, equals, _ = begun.partition("=")
        if equals:
            models = (model for model in self._models() if model != name)
            yield from _offers((f"{name}={model}" for model in models), "model")
        else:
            yield from _offers((f"{alias}=" for alias in self._aliases()), "model")

    def _aliases(self) -> list[str]:
        return in_time(self._state.user.aliases.all)

    def _backend(self, server: str) -> Backend | None:
        """Return a new backend of a server; None if the local one does not run."""
        if server:
            return self._state.user.servers.backend(server)
        from h2o_magic.backends.openai import OpenAIBackend  # noqa: PLC0415

        state = locate.find_running()
        if state is None:
            return None
        return OpenAIBackend(connection=lambda: state.endpoint)

    def _threads(self) -> Iterable[str]:
        current = str(self._state.settings["thread"])
        session = self._state.existing_session  # a completion should not create one
        names = [] if session is None else in_time(session.record.thread_names)
        return dict.fromkeys([*names, current])

    def _schemas(self) -> Iterator[Offer]:
        for name, value in sorted(self.namespace.items()):
            if not name.startswith("_") and isinstance(value, dict | type):
                yield Offer(name, "class" if isinstance(value, type) else "instance")


def _offers(names: Iterable[str], kind: str = "value") -> Iterator[Offer]:
    return (Offer(name, kind) for name in names)


def _of_replay(begun: str) -> Iterator[Offer]:
    """Yield the modes and the folders, behind a mode the folders."""
    mode, space, folder = begun.partition(" ")
    if space and mode in replay.MODES:
        found = files(folder.lstrip(), ())
        yield from (each._replace(text=f"{mode} {each.text}") for each in found)
        return
    yield from _offers(replay.MODES)
    for each in files(begun, ()):
        if each.text.partition(" ")[0] not in replay.MODES:  # else it is read as one
            yield each


def files(begun: str, suffixes: tuple[str, ...]) -> list[Offer]:
    """Return the files with these suffixes, and the folders, that begin as a path."""
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
            elif entry.name.lower().endswith(suffixes):
                found.append(Offer(head + entry.name, "path"))
    return sorted(found)


def models_of(server: str, connect: Callable[[], Backend | None]) -> tuple[str, ...]:
    """Return the names of a server's models; until it answers, of the known ones."""

    def ask() -> list[str]:
        try:
            backend = connect()
            if backend is not None:
                with closing(backend):
                    names = tuple(model.name for model in backend.models())
                _models[server] = (time.monotonic(), names)
        finally:
            _asking.discard(server)
        return []

    asked, names = _models.get(server, (0.0, ()))
    fresh = names and time.monotonic() - asked < _KEPT
    if not fresh and server not in _asking:
        _asking.add(server)
        in_time(ask)
    return _models.get(server, (0.0, tuple(MODELS)))[1]


def in_time(work: Callable[[], Iterable[str]]) -> list[str]:
    """Return the names that `work` returns; none if it fails or takes too long.

    It runs in a thread of its own, to its end even if nobody waits for it any more.
    """
    found: list[str] = []

    def run() -> None:
        with suppress(Exception):
            found.extend(work())

    thread = threading.Thread(target=run, daemon=True, name="h2o_magic-completion")
    thread.start()
    thread.join(WAIT)
    return found
