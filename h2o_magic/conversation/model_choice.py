"""Which model is current on a server where the user has chosen none.

A server of this package says which model is its best; another one without the default
model lends its first. The setting says so in its origin, and gives it back when another
server takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from h2o_magic.backends.base import ModelInfo
from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError, did_you_mean

_FIRST, _BEST = "the first of ", "the best on "
_MOST_NAMES = 5  # of models, in a sentence


def is_chosen(settings: Settings) -> bool:
    return settings.is_set("model") and not is_lent(settings)


def is_lent(settings: Settings) -> bool:
    """Return whether the current model is one that a server lends."""
    return settings.origin("model").startswith((_FIRST, _BEST))


def settle(settings: Settings, models: Sequence[ModelInfo], server: str) -> None:
    """Make a server's first model current, if it has not the one that nobody chose."""
    if is_chosen(settings):
        return
    reset_default(settings)
    names = [model.name for model in models]
    if settings["model"] in names:
        return
    for name in names:
        with suppress(ConfigurationError):  # a name that no setting can hold
            settings.set("model", name, f"{_FIRST}{server}")
            return


def adopt_default(settings: Settings, name: str, server: str) -> None:
    """Make the model current that a server says it answers with where nobody chose."""
    origin = f"{_BEST}{server}"
    if is_chosen(settings) or (name, origin) == (
        settings["model"],
        settings.origin("model"),
    ):
        return
    reset_default(settings)
    if name != settings["model"]:
        settings.set("model", name, origin)


def reset_default(settings: Settings) -> None:
    if is_lent(settings):
        settings.unset("model")


def lacking(model: str, models: Sequence[ModelInfo]) -> str:
    """Return what is amiss with a model that a server does not list, or nothing."""
    names = [listed.name for listed in models]
    if model in names or not names:
        return ""
    return f"it does not list {model}: {did_you_mean(model, names, most=_MOST_NAMES)}"


def whole_path(model: str) -> str:
    """Return a weights file's path as a whole one: the server has another folder."""
    path = Path(model).expanduser()
    return str(path.resolve()) if path.suffix == ".gguf" and path.is_file() else model
