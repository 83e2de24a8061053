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
_MOST = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A server's models.

    Attributes
    ----------
    models : tuple of ModelInfo
        As the server lists them.
    at : float
        When it did, in seconds since 1970.
    problem : str
        Why it does not list them now; empty if it has.
    """

    models: tuple[ModelInfo, ...]
    at: float = field(default_factory=time.time)
    problem: str = ""


class ModelLists:
    """The last lists, by the servers' addresses."""

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(
            path, what="lists of models", load=_load, dump=_dump, say=say
        )

    def keep(self, url: str, models: Sequence[ModelInfo]) -> Listed:
        """Keep a list that a server has just given; it is no harm if that fails."""
        listed = Listed(tuple(models))

        def put(lists: dict[str, Listed]) -> dict[str, Listed]:
            lists[url] = listed
            last = sorted(lists.items(), key=lambda item: item[1].at)[-_MOST:]
            return dict(last)

        with suppress(ConfigurationError):
            self._file.change(put)
        return listed

    def find(self, url: str) -> Listed | None:
        """Return the last list of a server; None if it has never given one."""
        return self._file.read().get(url)


def _load(_: str, value: Any) -> Listed:
    models = tuple(ModelInfo(**model) for model in value["models"])
    return Listed(models, float(value["at"]))


def _dump(listed: Listed) -> dict[str, Any]:
    return {"at": listed.at, "models": [asdict(model) for model in listed.models]}
