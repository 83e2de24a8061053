"""What a question is replayed from: a folder, for a server, in a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.key import key_of
from h2o_magic.backends.replay.summary import Summary, summary
from h2o_magic.config import paths
from h2o_magic.config.replay import ReplayChoice


@dataclass
class ReplayCounts:
    """How many questions of a session were replayed, and how many were not stored.

    Of the latter, `refused` were not asked, since nobody may be. `cells` has the key of
    the cell, or None, by that of each answer that was given.
    """

    hits: int = 0
    misses: int = 0
    refused: int = 0
    cells: dict[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        asked = self.misses - self.refused
        counts = {"replayed": self.hits, "asked": asked, "missing": self.refused}
        return ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)


@dataclass(frozen=True)
class Replayed:
    """What a :class:`ReplayBackend` works with; one for each server and folder.

    `server` is its name in keys, `shown` what users call the folder. `mask` takes
    secrets out of a text. `weights` returns the digest of the weights that would answer
    for a model now; empty if that is not known. `warn` gets a line if the folder cannot
    be written. `asker` is the key of the cell that asks; None without one. Paths of
    models are relative to `base`.
    """

    folder: AnswerFolder
    server: str
    shown: str
    mask: Callable[[str], str] = str
    weights: Callable[[str], str] = lambda _model: ""
    warn: Callable[[str], None] = lambda _line: None
    counts: ReplayCounts = field(default_factory=ReplayCounts)
    cell: str = ""
    asker: str | None = None
    base: Path = Path()

    def key(self, request: ChatRequest) -> str:
        """Return the key of a request, which is the same on another machine."""
        return key_of(self._portable(request), self.server)

    def summary(self, request: ChatRequest, *, whole: bool = False) -> Summary:
        return summary(self._portable(request), self.server, self.mask, whole=whole)

    def shortened(self, name: str) -> str:
        """Return a model's name; that of a file as it is on any machine."""
        return paths.shortened(name, self.base)

    def whole(self, name: str) -> str:
        """Return a name that was shortened as it is here."""
        return paths.lengthened(name, self.base)

    def _portable(self, request: ChatRequest) -> ChatRequest:
        return replace(request, model=self.shortened(request.model))

    @classmethod
    def of(
        cls, choice: ReplayChoice, base: Path, server: str, **others: Any
    ) -> Replayed:
        """Return what a choice names; a relative folder is below `base`."""
        if not choice.folder:
            own = AnswerFolder(paths.answers_folder(), private=True)
            return cls(own, server, "your own store", base=base, **others)
        folder = AnswerFolder(base / os.path.expanduser(choice.folder))
        return cls(folder, server, choice.folder, base=base, **others)
