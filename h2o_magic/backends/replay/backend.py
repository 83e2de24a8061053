"""A backend around a backend: what is stored is given again, what is missing asked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.replay.differences import differences
from h2o_magic.backends.replay.entry import COMPLETE, StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError
from h2o_magic.backends.replay.key import key_of
from h2o_magic.backends.replay.nearest import is_near, nearest
from h2o_magic.backends.replay.streams import Recording, Replaying
from h2o_magic.backends.replay.summary import Summary, summary
from h2o_magic.chat.events import Event, Replay
from h2o_magic.chat.messages import Message
from h2o_magic.config import paths
from h2o_magic.config.replay import ReplayChoice, ReplayMode
from h2o_magic.errors import ReplayMissError

#: Entries that are compared to find the nearest, and seconds for that.
_MOST_COMPARED, _LONGEST = 2000, 1.0


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
    explains: bool = True
    base: Path = Path()

    def key(self, request: ChatRequest) -> str:
        """Return the key of a request, which is the same on another machine."""
        return key_of(self._portable(request), self.server)

    def summary(self, request: ChatRequest, *, whole: bool = False) -> Summary:
        return summary(self._portable(request), self.server, self.mask, whole=whole)

    def _portable(self, request: ChatRequest) -> ChatRequest:
        return replace(request, model=paths.shortened(request.model, self.base))

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


def _ask(backend: Backend, request: ChatRequest) -> Iterator[Event]:
    return backend.stream(request)


class ReplayBackend(Backend):
    """Answers from a folder, and asks `inner`, which is made only then.

    `mode` is ``on``, ``only`` or ``refresh``. `ask` asks a backend. `on_kept` is called
    when an answer that was asked has been stored.
    """

    def __init__(
        self,
        inner: Callable[[], Backend],
        replayed: Replayed,
        mode: ReplayMode,
        *,
        ask: Callable[[Backend, ChatRequest], Iterator[Event]] = _ask,
        speed: float = 0.0,
        on_kept: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._ask = ask
        self._replayed = replayed
        self._mode = mode
        self._speed = speed
        self._on_kept = on_kept
        self._url: str | None = None

    @property
    def url(self) -> str:
        return self._inner().url if self._url is None else self._url

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        """Yield the stored answer, or the server's; a ReplayMissError in ``only``."""
        key = self._replayed.key(request)
        stored, why = self._stored(key, request)
        if stored is not None:
            self._url = stored.url
            self._replayed.counts.hits += 1
            self._replayed.counts.cells[key] = self._replayed.asker
            return Replaying(stored, _told(key, stored, stored.day), self._speed)
        self._replayed.counts.misses += 1
        if self._mode == "only":
            self._replayed.counts.refused += 1
            raise self._miss(request, why)
        self._url = None
        return Recording(
            self._ask(self._inner(), request),
            lambda answer: self._keep(key, request, answer, why),
        )

    def has(self, request: ChatRequest) -> bool:
        """Return whether a request would be answered without asking."""
        stored, _ = self._stored(self._replayed.key(request), request)
        return stored is not None

    def outlook(self, request: ChatRequest) -> str:
        """Return what would come of a request, in a phrase for its preview."""
        stored, _ = self._stored(self._replayed.key(request), request)
        if stored is not None:
            return f"would be replayed, first answered {stored.day}"
        if self._mode == "refresh":
            return "would be asked again, and stored"
        would = "refused" if self._mode == "only" else "asked, and stored"
        return f"not stored in {self._replayed.shown}: would be {would}"

    def models(self) -> list[ModelInfo]:
        return self._inner().models()

    def model(self, name: str = "") -> ModelInfo | None:
        return self._inner().model(name)

    def vision(self, model: str) -> bool | None:
        return self._inner().vision(model)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        if self._mode == "only":
            return None
        return self._inner().count_tokens(model, messages)

    def body(self, request: ChatRequest) -> Mapping[str, Any] | None:
        return None if self._mode == "only" else self._inner().body(request)

    def _stored(
        self, key: str, request: ChatRequest
    ) -> tuple[StoredAnswer | None, str]:
        """Return the stored answer, or why there is none that can be used."""
        if self._mode == "refresh":
            return None, ""
        try:
            entry = self._replayed.folder.read(key)
            if entry is None:
                return None, ""
            stored = StoredAnswer.of_json(entry, key)
        except (DamagedEntryError, OSError) as error:
            return None, f"the stored answer cannot be read: {error}"
        if self._mode == "on" and self._has_other_weights(stored, request.model):
            return None, f"other weights are installed as {request.model} now"
        return stored, ""

    def _has_other_weights(self, stored: StoredAnswer, model: str) -> bool:
        now = self._replayed.weights(model)
        if not now and stored.source is not None:  # another model stood in for it
            now = self._replayed.weights(stored.source.model)
        return bool(now) and now != stored.weights

    def _keep(
        self, key: str, request: ChatRequest, answer: StoredAnswer, why: str
    ) -> tuple[Replay, str]:
        """Store a complete answer; return what is told about it, and its text."""
        if answer.finish_reason not in COMPLETE:
            return Replay("", why="not stored, since it was cut off"), answer.text
        replayed = self._replayed
        why = why or self._what_changed(request)  # now: the text has not waited for it
        answered_by = answer.source.model if answer.source else request.model
        answer = _masked(answer, replayed.mask)
        answer = replace(
            answer,
            request=replayed.summary(request),
            url=self._inner().url,
            cell=replayed.cell,
            weights=replayed.weights(answered_by),
        )
        try:
            replayed.folder.write(key, answer.as_json(key))
        except (OSError, ValueError) as error:  # the latter for a count that is NaN
            replayed.warn(f"the answer was not stored in {replayed.shown}: {error}")
            return Replay("", why="not stored"), answer.text
        self._on_kept()
        replayed.counts.cells[key] = replayed.asker
        return _told(key, answer, why=why), answer.text

    def _what_changed(self, request: ChatRequest) -> str:
        """Return what differs from the nearest stored request, if one is near.

        What another cell has asked in this session is another question.
        """
        if self._mode == "refresh" or not self._replayed.explains:
            return ""
        wanted, cell = self._wanted(request), self._replayed.asker
        asked = self._replayed.counts.cells.items()
        others = {key for key, asker in asked if asker is None or asker != cell}
        near = nearest(wanted, self._summaries(others))
        if near is None or not is_near(near, wanted):
            return ""
        return f"asked again: {differences(near, wanted)[0]}"

    def _miss(self, request: ChatRequest, why: str) -> ReplayMissError:
        shown = self._replayed.shown
        if not why:
            wanted = self._wanted(request)
            near = nearest(wanted, self._summaries())
            why = f"{self._replayed.folder.path} has no answers"
            if near is not None:
                found = "; ".join(differences(near, wanted))
                why = f"the nearest stored question differs in {found}"
        return ReplayMissError(
            f"no answer to this question is stored in {shown}, and nobody is asked "
            f"while `replay` is `only`: {why}. To ask, set `replay` to `on`"
        )

    def _wanted(self, request: ChatRequest) -> Summary:
        return self._replayed.summary(request, whole=True)

    def _summaries(self, others: Container[str] = ()) -> Iterator[Summary]:
        """Yield what was asked of the stored answers, as far as there is time."""
        until = time.monotonic() + _LONGEST
        folder = self._replayed.folder
        with suppress(OSError):  # it cannot be listed
            for key in islice(folder.keys(), _MOST_COMPARED):
                if time.monotonic() > until:
                    return
                if key not in others and (asked := _asked(folder, key)) is not None:
                    yield asked


def _asked(folder: AnswerFolder, key: str) -> Summary | None:
    """Return what an entry was asked; None if it cannot be read, or is no answer."""
    with suppress(DamagedEntryError, OSError):
        entry = folder.read(key) or {}
        request = entry.get("request")
        if entry.get("kind") == "answer" and isinstance(request, dict):
            return request
    return None


def _told(key: str, answer: StoredAnswer, day: str = "", why: str = "") -> Replay:
    first = answer.first_token and round(answer.first_token, 3)
    return Replay(key, day, why, round(answer.seconds, 3), first)


def _masked(answer: StoredAnswer, mask: Callable[[str], str]) -> StoredAnswer:
    """Return the answer without secrets; in one piece if there were any."""
    text, reasoning = mask(answer.text), mask(answer.reasoning)
    if (text, reasoning) == (answer.text, answer.reasoning):
        return answer
    end = round(answer.seconds * 1000)
    return replace(
        answer,
        text=text,
        pieces=((end, len(text)),),
        reasoning=reasoning,
        reasoning_pieces=((end, len(reasoning)),),
    )
