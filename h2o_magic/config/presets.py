"""Generation parameters under a name: three that are built in, and the user's own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.json_file import PrivateFile
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS, set_before
from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError, did_you_mean

_NAME = r"[A-Za-z0-9][\w.-]{0,39}"

#: Values of generation parameters; None is not sent. Those it does not name stay.
Preset = Mapping[str, Value | None]


def _varied(temperature: float | None = None, top_p: float | None = None) -> Preset:
    """Return how varied the wording is, by the two that every kind of server takes."""
    return {"temperature": temperature, "top_p": top_p}


#: The presets of this package; ``balanced`` leaves both to the model.
BUILT_IN: Mapping[str, Preset] = {
    "precise": _varied(0.1, 0.9),
    "balanced": _varied(),
    "creative": _varied(1.0, 0.98),
}


class Presets:
    """The presets by their names.

    Parameters
    ----------
    path
        The file that keeps the user's own; None keeps them in memory.
    say
        Takes one line that the user must read.
    """

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(path, what="presets", load=_load, dump=_dump, say=say)

    def all(self) -> Mapping[str, Preset]:
        """Return the presets, the built-in ones first."""
        return {**BUILT_IN, **self._file.read()}

    def use(self, name: str, settings: Settings) -> None:
        """Set the parameters that a preset names.

        Raises
        ------
        ConfigurationError
            If there is none of that name.
        """
        known = self.all()
        if name not in known:
            raise ConfigurationError(
                f"there is no preset {name!r:.60}: {did_you_mean(name, known)}"
            )
        for parameter, value in known[name].items():
            if value is None:
                settings.unset(parameter)  # so that it counts as nobody's choice
            if settings[parameter] != value:
                settings.set(parameter, value, f"preset {name}")

    def current(self, settings: Settings) -> str:
        """Return the name of the first preset that is in force; empty without one."""
        for name, preset in self.all().items():
            if all(settings[parameter] == value for parameter, value in preset.items()):
                return name
        return ""

    def save(self, name: str, values: Preset) -> None:
        """Keep values of parameters under a name, in the place of those it had.

        Raises
        ------
        ConfigurationError
            If the name is none, or a built-in preset's, or the file cannot be written.
        """
        if not re.fullmatch(_NAME, name):
            raise ConfigurationError(
                "a preset's name has 1 to 40 letters, digits, '_', '.' and '-', and "
                f"begins with one of the first two; got {name!r:.60}"
            )
        if name in BUILT_IN:
            raise ConfigurationError(
                f"the preset {name} is built in: choose another name"
            )
        self._file.change(lambda presets: {**presets, name: values})

    def remove(self, name: str) -> None:
        """Forget one of the user's presets.

        Raises
        ------
        ConfigurationError
            If the user has none of that name, or the file cannot be written.
        """
        if name in BUILT_IN:
            raise ConfigurationError(f"the preset {name} is built in: it stays")

        def without(presets: dict[str, Preset]) -> Mapping[str, Preset]:
            if name not in presets:
                known = did_you_mean(name, presets) if presets else "you have none"
                raise ConfigurationError(f"you have no preset {name!r:.60}: {known}")
            return {other: p for other, p in presets.items() if other != name}

        self._file.change(without)


def _load(name: str, values: Any) -> Preset:
    if not re.fullmatch(_NAME, name) or name in BUILT_IN:
        raise ValueError("no name")
    unknown = values.keys() - PARAMETERS.keys()
    if unknown:
        raise ValueError("no parameters")
    known = dict.fromkeys(p for p in CHAT_PARAMETERS if p in values) | set_before(
        values
    )
    return {p: SETTINGS[p].check(value) for p, value in known.items()}


def _dump(preset: Preset) -> object:
    return dict(preset)  # JSON has a list for each tuple
