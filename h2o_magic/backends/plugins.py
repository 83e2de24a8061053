"""Dialects that other packages add, by the entry point group ``h2o_magic.backends``.

An entry point's name is the dialect's, and it refers to a `Dialect`. An error in a
plug-in is one line that names its package, and affects nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from h2o_magic.backends.base import (
    Backend,
    ChatRequest,
    Dialect,
    Match,
    ModelInfo,
    ProbeAnswer,
)
from h2o_magic.chat.events import Event
from h2o_magic.chat.messages import Message
from h2o_magic.errors import BackendError, ConfigurationError, H2OMagicError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "h2o_magic.backends"


def names() -> list[str]:
    """Return the names of the dialects that installed packages add; imports none."""
    return [entry.name for _, entry in _entries() if entry]


def find(name: str) -> Dialect | None:
    for package, entry in _entries():
        if entry and entry.name == name:
            return _load(package, entry)
    return None


def usable(taken: Iterable[str] = ()) -> Iterator[Dialect]:
    """Yield the dialects that can be used, and warn of each that cannot."""
    seen = set(taken)
    for package, entry in _entries():
        try:
            if entry is None:
                raise _failed(package, "its entry_points.txt cannot be read")
            if entry.name in seen:
                raise _failed(package, f"the name {entry.name!r} is already taken")
            seen.add(entry.name)
            yield _load(package, entry)
        except ConfigurationError as error:
            warnings.warn(str(error), stacklevel=2)


def _entries() -> Iterator[tuple[str, EntryPoint | None]]:
    """Yield each package's entry points: the usual call fails if one is damaged."""
    # Imported here: `%load_ext` and a question to a known server do not need it.
    from importlib.metadata import distributions  # noqa: PLC0415

    seen: set[str] = set()
    for package in distributions():
        if GROUP not in (package.read_text("entry_points.txt") or ""):
            continue
        if package.name in seen:  # an older version, further down the path
            continue
        seen.add(package.name)
        try:
            entries = list(package.entry_points.select(group=GROUP))
        except Exception:
            yield package.name, None
        else:
            yield from ((package.name, entry) for entry in entries)


def _load(package: str, entry: EntryPoint) -> Dialect:
    with _plugin_errors(package, ConfigurationError):
        dialect = entry.load()
        if not isinstance(dialect, Dialect) or dialect.name != entry.name:
            raise TypeError(
                f"expected {entry.value} to be the Dialect {entry.name!r}, got "
                f"{dialect!r:.100}"
            )

    def connect(url: str, token: str | None) -> Backend:
        with _plugin_errors(package, ConfigurationError):
            return _PluginBackend(dialect.connect(url, token), package)

    def recognise(answer: ProbeAnswer, earlier: Sequence[ProbeAnswer]) -> Match | None:
        try:
            with _plugin_errors(package, ConfigurationError):
                match = dialect.recognise(answer, earlier)
                if match is not None and not isinstance(match, Match):
                    raise TypeError(f"expected a Match or None, got {match!r:.100}")
                return match
        except H2OMagicError as error:
            warnings.warn(str(error), stacklevel=2)
            return None

    return replace(dialect, connect=connect, recognise=recognise)


@contextmanager
def _plugin_errors(package: str, kind: type[H2OMagicError]) -> Iterator[None]:
    """Turn an unexpected error of a plug-in into one that names its package."""
    try:
        yield
    except (H2OMagicError, StopIteration):
        raise
    except (Exception, SystemExit) as error:
        raise _failed(package, f"{type(error).__name__}: {error}", kind) from error


def _failed(
    package: str, why: str, kind: type[H2OMagicError] = ConfigurationError
) -> H2OMagicError:
    return kind(
        f"the package {package} cannot be used as a plug-in of h2o_magic "
        f"({' '.join(why.split())}): update it, or report this to its authors"
    )


class _PluginBackend(Backend):
    def __init__(self, backend: Backend, package: str) -> None:
        self._backend = backend
        self._package = package

    @property
    def url(self) -> str:
        with _plugin_errors(self._package, BackendError):
            return self._backend.url

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        with _plugin_errors(self._package, BackendError):
            return _PluginEvents(self._backend.stream(request), self._package)

    def models(self) -> list[ModelInfo]:
        with _plugin_errors(self._package, BackendError):
            return self._backend.models()

    def model(self, name: str = "") -> ModelInfo | None:
        with _plugin_errors(self._package, BackendError):
            return self._backend.model(name)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        with _plugin_errors(self._package, BackendError):
            return self._backend.count_tokens(model, messages)

    def body(self, request: ChatRequest) -> Mapping[str, Any] | None:
        with _plugin_errors(self._package, BackendError):
            return self._backend.body(request)

    def close(self) -> None:
        with suppress(Exception):
            self._backend.close()


class _PluginEvents(Iterator[Event]):
    def __init__(self, events: Iterator[Event], package: str) -> None:
        self._events = events
        self._package = package

    def __next__(self) -> Event:
        with _plugin_errors(self._package, BackendError):
            return next(self._events)

    def close(self) -> None:
        close = getattr(self._events, "close", None)
        if close is not None:
            with suppress(Exception):
                close()
