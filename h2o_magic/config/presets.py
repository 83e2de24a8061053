"""Presets: named sets of generation parameters, built in or saved by the user."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.json_file import NAME, PrivateFile
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS, explicit_parameters
from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError, did_you_mean

#: Values of generation parameters, None for one that is not sent; others are unchanged.
Preset = Mapping[str, Value | None]

#: The built-in presets, of parameters that every kind of server accepts.
BUILT_IN: Mapping[str, Preset] = {
    "precise": {"temperature": 0.1, "top_p": 0.9},
    "balanced": {"temperature": None, "top_p": None},  # the model's own values
    "creative": {"temperature": 1.0, "top_p": 0.98},
}


class Presets:
    """The presets by name; the user's own are in memory where `path` is None."""

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(path, what="presets", load=_load, dump=dict, say=say)

    def all(self) -> Mapping[str, Preset]:
        """Return the presets, the built-in ones first."""
        return {**BUILT_IN, **self._file.read()}

    def use(self, name: str, settings: Settings) -> None:
        """Set a preset's parameters; ConfigurationError if it does not exist."""
        known = self.all()
        if name not in known:
            raise ConfigurationError(
                f"unknown preset {name!r:.60}: {did_you_mean(name, known)}"
            )
        for parameter, value in known[name].items():
            if value is None:
                settings.unset(parameter)  # so that it does not count as set
            if settings[parameter] != value:
                settings.set(parameter, value, f"preset {name}")

    def current(self, settings: Settings) -> str:
        """Return the name of the first preset that the settings match; may be empty."""
        for name, preset in self.all().items():
            if all(settings[parameter] == value for parameter, value in preset.items()):
                return name
        return ""

    def save(self, name: str, values: Preset) -> None:
        """Replace a preset; ConfigurationError if the name is invalid or built in."""
        if not re.fullmatch(NAME, name):
            raise ConfigurationError(
                "a preset's name has 1 to 40 letters, digits, '_', '.' and '-', and "
                f"begins with a letter or digit; got {name!r:.60}"
            )
        if name in BUILT_IN:
            raise ConfigurationError(
                f"the preset {name} is built in: choose another name"
            )
        self._file.change(lambda presets: {**presets, name: values})

    def remove(self, name: str) -> None:
        """Remove one of the user's presets; ConfigurationError if it is not one."""
        if name in BUILT_IN:
            raise ConfigurationError(
                f"the preset {name} is built in and cannot be removed"
            )
        self._file.remove(name, "preset")


def _load(name: str, values: Any) -> Preset:
    if not re.fullmatch(NAME, name) or name in BUILT_IN:
        raise ValueError("invalid name")
    if values.keys() - PARAMETERS.keys():
        raise ValueError("unknown parameters")
    known: dict[str, object] = {p: None for p in CHAT_PARAMETERS if p in values}
    known |= explicit_parameters(values)
    return {p: SETTINGS[p].check(value) for p, value in known.items()}
