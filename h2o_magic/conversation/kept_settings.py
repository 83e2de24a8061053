"""The server and the model of a notebook, which outlast its kernel.

What was chosen in the notebook holds again when it is opened; what its environment
said, only where the environment says nothing now.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from h2o_magic.config.settings import FILE, Settings, find_setting
from h2o_magic.conversation import model_choice
from h2o_magic.errors import ConfigurationError

#: Where a setting comes from that is saved with the notebook.
SAVED = "this notebook"

#: Value and origin, by the setting's name.
Kept: TypeAlias = Mapping[str, tuple[Any, str]]

KEPT = _SERVER, _MODEL = "server", "model"


def to_keep(settings: Settings) -> Kept:
    """Return what of the settings in force is to be kept."""
    kept = {n: (settings[n], settings.origin(n)) for n in KEPT}
    if not settings[_SERVER] and model_choice.is_server_default(settings):
        del kept[_MODEL]  # better weights may be pulled
    return {name: pair for name, pair in kept.items() if settings.is_set(name)}


def restore(settings: Settings, kept: Kept) -> None:
    """Put what was kept in force, except where this kernel has chosen already."""
    for name in KEPT:  # a change of the server may reset the model
        if name in kept and not settings.is_chosen(name):
            value, origin = kept[name]
            if _holds(name, origin, settings, kept):
                with suppress(ConfigurationError):  # a damaged file can say anything
                    settings.set(name, value, model_choice.as_before(origin) or SAVED)


def _holds(name: str, origin: str, settings: Settings, kept: Kept) -> bool:
    if name == _MODEL and settings[_SERVER] != kept.get(_SERVER, ("", ""))[0]:
        return False  # it was another server's
    from_outside = origin in (find_setting(name).variable, FILE)
    return not (from_outside and settings.is_set(name))
