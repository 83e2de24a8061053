"""The dialects by name: those that are built in, and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from h2o_magic.backends import plugins
from h2o_magic.backends.base import Backend, Dialect
from h2o_magic.errors import ConfigurationError, did_you_mean, nearest

#: Stands for a dialect that is to be detected.
AUTO = "auto"

#: Each built-in dialect's name, and the module that has it as ``DIALECT``; imported
#: only when it is needed.
_BUILT_IN = {
    "gpt-gm": "h2o_magic.backends.gptgm.backend",
    "openai": "h2o_magic.backends.openai.backend",
}

INSTEAD_OF_CHAT_UI = "connect to the OpenAI-compatible server behind it instead"


def names() -> tuple[str, ...]:
    return tuple(dict.fromkeys([*_BUILT_IN, *plugins.names()]))


def find(name: str) -> Dialect:
    """Return a dialect by its name; raises a ConfigurationError if it is unusable."""
    if name in _BUILT_IN:
        dialect: Dialect = import_module(_BUILT_IN[name]).DIALECT
        return dialect
    plugin = plugins.find(name)
    if plugin is None:
        raise _unknown(name)
    return plugin


def built_in() -> tuple[Dialect, ...]:
    return tuple(map(find, _BUILT_IN))


def added() -> Iterator[Dialect]:
    """Yield the dialects of plug-ins; imports them, and warns of those that fail."""
    return plugins.usable(taken=(AUTO, *_BUILT_IN))


def label(name: str) -> str:
    """Return what servers of a dialect are called; its name if it is unknown."""
    try:
        return find(name).label if name else ""
    except ConfigurationError:
        return name


def connect(name: str, url: str, token: str | None = None) -> Backend:
    """Return a backend for a server; nothing is sent before it is used."""
    return find(name).connect(url, token)


def local(idle_minutes: Callable[[], float | None] = lambda: None) -> Backend:
    """Return a backend for this user's local server, started when needed."""
    from h2o_magic.backends.local.locate import find_or_start  # noqa: PLC0415
    from h2o_magic.backends.openai import OpenAIBackend  # noqa: PLC0415

    return OpenAIBackend(connection=lambda: find_or_start(idle_minutes()))


def _unknown(name: str) -> ConfigurationError:
    if name == "chat-ui":
        return ConfigurationError(
            f"the dialect 'chat-ui' is no longer supported: {INSTEAD_OF_CHAT_UI}"
        )
    known = names()
    hint = "install the package that adds it, or use `--dialect auto` to detect it"
    if nearest(name, known):
        hint = did_you_mean(name, known)
    return ConfigurationError(
        f"expected a dialect, one of {', '.join(known)}, got {name!r}: {hint}"
    )
