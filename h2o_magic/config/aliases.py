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
    """The models by alias, in a file, or in memory where `path` is None."""

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(path, what="aliases", load=_load, dump=str, say=say)

    def all(self) -> Mapping[str, str]:
        return self._file.read()

    def model(self, name: str) -> str:
        """Return the model of an alias; any other name unchanged."""
        return self._file.read().get(name, name)

    def set(self, name: str, model: str) -> str:
        """Define an alias, and return its model; an alias of an alias is resolved now.

        ConfigurationError if the alias is not a valid name or is a known model's, the
        model is refused, or the file cannot be written.
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
        """Return the model it stood for; ConfigurationError if there is no alias."""
        return self._file.remove(name, "alias")


def _load(name: str, model: Any) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError("invalid name")
    return str(SETTINGS["model"].check(model))
