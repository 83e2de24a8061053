"""The last list of models of each server, for when it does not answer."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.config.json_file import PrivateFile
from h2o_magic.errors import ConfigurationError

#: Servers whose lists are kept: those that answered last.
_MAX_SERVERS = 50


@dataclass(frozen=True, slots=True)
class ModelList:
    """A server's models, and when it listed them."""

    models: tuple[ModelInfo, ...]
    at: float = field(default_factory=time.time)  # seconds since 1970
    problem: str = ""  # why it does not list them now, if so


class ModelCache:
    """The last lists, by the servers' addresses."""

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(
            path, what="lists of models", load=_load, dump=_dump, say=say
        )

    def put(self, url: str, models: Sequence[ModelInfo]) -> None:
        """Keep the list that a server has just given, if the file can be written."""

        def change(lists: dict[str, ModelList]) -> dict[str, ModelList]:
            lists[url] = ModelList(tuple(models))
            return dict(sorted(lists.items(), key=lambda i: i[1].at)[-_MAX_SERVERS:])

        with suppress(ConfigurationError):
            self._file.change(change)

    def get(self, url: str) -> ModelList | None:
        return self._file.read().get(url)


def _load(_: str, value: Any) -> ModelList:
    models = tuple(ModelInfo(**model) for model in value["models"])
    return ModelList(models, float(value["at"]))


def _dump(cached: ModelList) -> dict[str, Any]:
    return {"at": cached.at, "models": [asdict(model) for model in cached.models]}
