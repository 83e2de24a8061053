"""A backend around a backend: what is stored is given again, what is missing asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.replay.entry import COMPLETE, StoredAnswer
from h2o_magic.backends.replay.misses import miss, what_changed
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.backends.replay.streams import Recording, Replaying
from h2o_magic.backends.replay.summary import cut
from h2o_magic.chat.events import Event, Replay
from h2o_magic.chat.messages import Message
from h2o_magic.config.replay import ReplayMode


def _ask(backend: Backend, request: ChatRequest) -> Iterator[Event]:
    return backend.stream(request)


class ReplayBackend(Backend):
    """Answers from a folder, and asks `inner`, which is made only then.

    `mode` is ``on``, ``only`` or ``refresh``. `ask` asks a backend. `on_kept`, if it is
    set, is called when an answer that was asked has been stored.
    """

    def __init__(
        self,
        inner: Callable[[], Backend],
        replayed: Replayed,
        mode: ReplayMode,
        *,
        ask: Callable[[Backend, ChatRequest], Iterator[Event]] = _ask,
        speed: float = 0.0,
    ) -> None:
        self._inner = inner
        self._ask = ask
        self._replayed = replayed
        self._mode = mode
        self._speed = speed
        self.on_kept: Callable[[], None] = lambda: None
        self._url: str | None = None

    @cached_property
    def _asked(self) -> Backend:
        """The server that is asked; it is the same one until the answer is there."""
        return self._inner()

    @property
    def url(self) -> str:
        return self._asked.url if self._url is None else self._url

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        """Yield the stored answer, or the server's; a ReplayMissError in ``only``."""
        replayed, counts = self._replayed, self._replayed.counts
        key = replayed.key(request)
        stored, why = self._stored(key, request)
        if stored is not None:
            self._url, stored = stored.url, stored.renamed(replayed.whole)
            counts.hits += 1
            counts.cells[key] = replayed.asker
            return Replaying(stored, _told(key, stored, stored.day), self._speed)
        counts.misses += 1
        if self._mode == "only":
            counts.refused += 1
            raise miss(request, replayed, why)
        self._url = None
        return Recording(
            self._ask(self._asked, request),
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
        return self._asked.models()

    def model(self, name: str = "") -> ModelInfo | None:
        return self._asked.model(name)

    def vision(self, model: str) -> bool | None:
        return self._asked.vision(model)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        if self._mode == "only":
            return None
        return self._asked.count_tokens(model, messages)

    def body(self, request: ChatRequest) -> Mapping[str, Any] | None:
        return None if self._mode == "only" else self._asked.body(request)

    def _stored(
        self, key: str, request: ChatRequest
    ) -> tuple[StoredAnswer | None, str]:
        """Return the stored answer, or why there is none that can be used."""
        if self._mode == "refresh":
            return None, ""
        any_weights = self._mode == "only"
        return self._replayed.stored(key, request.model, any_weights=any_weights)

    def _keep(
        self, key: str, request: ChatRequest, answer: StoredAnswer, why: str
    ) -> tuple[Replay, str]:
        """Store a complete answer; return what is told about it, and its text."""
        if answer.finish_reason not in COMPLETE:
            return Replay("", why="not stored, since it was cut off"), answer.text
        replayed = self._replayed
        asked = replayed.summary(request, whole=True)
        if not why and self._mode == "on":  # now: the text has not waited for it
            why = what_changed(asked, replayed)
        came, url = answer.text, self._asked.url
        answer = replayed.to_store(answer, cut(asked), request.model, url)
        if answer.text != came:
            why = "; ".join(filter(None, (why, "what looks like a secret was masked")))
        replayed.counts.cells[key] = replayed.asker  # before others can read it
        try:
            replayed.folder.write(key, answer.as_json(key))
        except (OSError, ValueError) as error:  # the latter for a count that is NaN
            said = getattr(error, "strerror", None) or error
            with suppress(Warning):  # where warnings are errors
                replayed.warn(f"the answer was not stored in {replayed.shown}: {said}")
            return Replay("", why="not stored"), answer.text
        self.on_kept()
        return _told(key, answer, why=why), answer.text


def _told(key: str, answer: StoredAnswer, day: str = "", why: str = "") -> Replay:
    first = answer.first_token and round(answer.first_token, 3)
    return Replay(key, day, why, round(answer.seconds, 3), first)
