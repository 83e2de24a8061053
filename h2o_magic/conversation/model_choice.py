"""Which model is used on a server if the user has not chosen one.

A server of this package reports its best model. On other servers without the default
model it is the first one listed. The setting's origin says so, and the setting is reset
when the server changes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from h2o_magic.backends.base import ModelInfo

_FIRST, _BEST = "the first of ", "the best on "
#: Ends the origin of one that answered when the notebook was last open.
_AS_BEFORE = ", as before"
_MOST_NAMES = 5  # of models, in a sentence


def is_chosen(settings: Settings) -> bool:
    return settings.is_set("model") and not is_server_default(settings)


def is_server_default(settings: Settings) -> bool:
    """Return whether the current model is a server's default, not a choice."""
    return settings.origin("model").startswith((_FIRST, _BEST))


def is_settled(settings: Settings) -> bool:
    """Return whether no server is to be asked for its default model."""
    return is_chosen(settings) or settings.origin("model").endswith(_AS_BEFORE)


def as_before(origin: str) -> str:
    """Return the origin of a server's default that is restored; else empty."""
    if not origin.startswith((_FIRST, _BEST)):
        return ""
    return origin.removesuffix(_AS_BEFORE) + _AS_BEFORE


def settle(settings: Settings, models: Sequence[ModelInfo], server: str) -> None:
    """Use a server's first model if it lacks the default one and none was chosen."""
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
    """Use the model that a server reports as its default, unless one was chosen."""
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
    if is_server_default(settings):
        settings.unset("model")


def lacking(model: str, models: Sequence[ModelInfo]) -> str:
    """Return a hint if a server does not list a model; empty if it does."""
    names = [listed.name for listed in models]
    if model in names or not names:
        return ""
    return f"it does not list {model}: {did_you_mean(model, names, most=_MOST_NAMES)}"


def whole_path(model: str) -> str:
    """Return a weights file's path as a whole one: the server has another folder."""
    path = os.path.expanduser(model)
    whole = path.endswith(".gguf") and os.path.isfile(path)
    return os.path.realpath(path) if whole else model
