"""The user's own names for models: ``fast`` for ``llama-13b``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.json_file import PrivateFile
from h2o_magic.config.models import MODELS
from h2o_magic.errors import ConfigurationError, did_you_mean

_NAME = r"[A-Za-z0-9][\w.-]{0,39}"


class Aliases:
    """The names, and the models that they stand for.

    Parameters
    ----------
    path
        The file that keeps them; None keeps them in memory.
    say
        Takes one line that the user must read.
    """

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(path, what="aliases", load=_load, dump=str, say=say)

    def all(self) -> Mapping[str, str]:
        """Return the models by the user's names."""
        return self._file.read()

    def model(self, name: str) -> str:
        """Return the model that a name stands for; other names are a model's own."""
        return self._file.read().get(name, name)

    def set(self, name: str, model: str) -> str:
        """Let a name stand for a model, and return the model.

        A name that stands for a model itself is followed now, and not later.

        Raises
        ------
        ConfigurationError
            If the name is none, or is a known model's, if the model is none, or if the
            file cannot be written.
        """
        if not re.fullmatch(_NAME, name):
            raise ConfigurationError(
                "an alias has 1 to 40 letters, digits, '_', '.' and '-', and begins "
                f"with one of the first two; got {name!r:.60}"
            )
        if name in MODELS:
            raise ConfigurationError(
                f"{name} is the name of a model: choose another for the alias"
            )
        target = self.model(str(SETTINGS["model"].check(model)))
        if target == name:
            raise ConfigurationError(
                f"{name} cannot stand for itself: name the model that it stands for"
            )
        self._file.change(lambda aliases: {**aliases, name: target})
        return target

    def remove(self, name: str) -> str:
        """Take a name away, and return the model that it stood for.

        Raises
        ------
        ConfigurationError
            If there is no such name, or the file cannot be written.
        """
        gone: list[str] = []

        def drop(aliases: dict[str, str]) -> dict[str, str]:
            if name not in aliases:
                known = did_you_mean(name, aliases) if aliases else "there is none"
                raise ConfigurationError(f"{name!r} is no alias: {known}")
            gone.append(aliases.pop(name))
            return aliases

        self._file.change(drop)
        return gone[-1]


def _load(name: str, model: Any) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError("no name")
    return str(SETTINGS["model"].check(model))
