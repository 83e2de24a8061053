"""What a question is replayed from: a folder, for a server, in a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError
from h2o_magic.backends.replay.key import key_of
from h2o_magic.backends.replay.summary import Summary, summary
from h2o_magic.config import paths
from h2o_magic.config.replay import ReplayChoice


@dataclass
class ReplayCounts:
    """How many questions of a session were replayed, and how many were not stored.

    Of the latter, `refused` were not asked, since nobody may be. `cells` has the key of
    the cell, or None, by that of each answer that was given; `offered` are servers with
    models that they were seen to have.
    """

    hits: int = 0
    misses: int = 0
    refused: int = 0
    cells: dict[str, str | None] = field(default_factory=dict)
    offered: set[tuple[str, str]] = field(default_factory=set)

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

    def stored(
        self, key: str, model: str, *, any_weights: bool = False
    ) -> tuple[StoredAnswer | None, str]:
        """Return the stored answer of a model, or why one there cannot be used."""
        try:
            entry = self.folder.read(key)
            if entry is None:
                return None, ""
            stored = StoredAnswer.of_json(entry, key)
        except (DamagedEntryError, OSError) as error:
            return None, f"the stored answer cannot be read: {error}"
        if not any_weights and self._has_other_weights(stored, model):
            return None, f"other weights are installed as {model} now"
        return stored, ""

    def to_store(
        self, answer: StoredAnswer, asked: Summary, model: str, url: str
    ) -> StoredAnswer:
        """Return an answer as it is stored: without secrets, for any machine.

        `asked` is what the `model` was asked, and `url` the server's address.
        """
        return replace(
            answer.masked(self.mask).renamed(self._masked_name),
            request=asked,
            url=self.mask(url),
            cell=self.cell,
            weights=self.weights(answer.source.model if answer.source else model),
        )

    def shortened(self, name: str) -> str:
        """Return a model's name; that of a file as it is on any machine."""
        return paths.shortened(name, self.base)

    def whole(self, name: str) -> str:
        """Return a name that was shortened as it is here."""
        return paths.lengthened(name, self.base)

    def _has_other_weights(self, stored: StoredAnswer, model: str) -> bool:
        now = self.weights(model)
        if not now and stored.source is not None:  # another model stood in for it
            now = self.weights(self.whole(stored.source.model))
        return bool(now) and now != stored.weights

    def _masked_name(self, name: str) -> str:
        return self.mask(self.shortened(name))

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
