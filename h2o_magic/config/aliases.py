"""The user's own names for models: ``fast`` for ``llama-13b``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.json_file import NAME, PrivateFile
from h2o_magic.config.models import MODELS
from h2o_magic.errors import ConfigurationError


class Aliases:
    """The aliases, and the models they stand for.

    Parameters
    ----------
    path
        The file that keeps them; None keeps them in memory.
    say
        Called with warnings for the user.
    """

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(path, what="aliases", load=_load, dump=str, say=say)

    def all(self) -> Mapping[str, str]:
        """Return the models by alias."""
        return self._file.read()

    def model(self, name: str) -> str:
        """Return the model of an alias; any other name unchanged."""
        return self._file.read().get(name, name)

    def set(self, name: str, model: str) -> str:
        """Define an alias, and return its model; an alias of an alias is resolved now.

        Raises
        ------
        ConfigurationError
            If the alias is not a valid name or is the name of a known model, the model
            is refused, or the file cannot be written.
        """
        if not re.fullmatch(NAME, name):
            raise ConfigurationError(
                "an alias has 1 to 40 letters, digits, '_', '.' and '-', and begins "
                f"with a letter or digit; got {name!r:.60}"
            )
        if name in MODELS:
            raise ConfigurationError(
                f"{name} is the name of a model: choose another alias"
            )
        target = self.model(str(SETTINGS["model"].check(model)))
        if target == name:
            raise ConfigurationError(
                f"{name} cannot be an alias of itself: give the name of a model"
            )
        self._file.change(lambda aliases: {**aliases, name: target})
        return target

    def remove(self, name: str) -> str:
        """Remove an alias, and return the model that it stood for.

        Raises
        ------
        ConfigurationError
            If there is no such alias, or the file cannot be written.
        """
        return self._file.remove(name, "alias")


def _load(name: str, model: Any) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError("invalid name")
    return str(SETTINGS["model"].check(model))
