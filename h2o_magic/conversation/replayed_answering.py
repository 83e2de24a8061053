"""What a question asks of a server, as it was when that answered first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any, Literal, TypeVar

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.entry import Learned
from h2o_magic.backends.replay.folder import DamagedEntryError
from h2o_magic.backends.replay.key import digest
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.chat.context import CAUTIOUS
from h2o_magic.chat.events import Event
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.replay import ReplayMode
from h2o_magic.conversation.answering import Answering
from h2o_magic.conversation.fitting import BUDGET, SLOW_BUDGET
from h2o_magic.errors import BackendError

_T = TypeVar("_T", int, bool, str)

#: Facts are those in the folder, which gets the missing ones; or all are asked anew.
Facts = Literal["keep", "learn"]

#: Stands for a fact that is not in a folder.
MISSING = object()


class ReplayedAnswering(Answering):
    """A server and its models as the folder knows them.

    What is asked of the server is kept with the first answer that depends on it, so
    that the same question is prepared in the same way on any machine, without it.
    """

    def __init__(
        self,
        asked: Answering,
        backend: ReplayBackend,
        replayed: Replayed,
        mode: ReplayMode,
        facts: Facts,
        *,
        default: str = "",
    ) -> None:
        self._asked = asked
        self._backend = backend
        self._replayed = replayed
        self._mode = mode
        self._facts = facts
        self._given = default  # the model in place of the folder's, which is gone
        self._default = ""  # the model that the folder has for one not chosen
        self._new: list[Learned] = []
        backend.on_kept = self._keep

    @property
    def lock(self) -> AbstractContextManager[object]:
        return self._asked.lock

    @property
    def backend(self) -> ReplayBackend:
        return self._backend

    @property
    def value_budget(self) -> int:
        # By the server's name only: the machine must not matter.
        return SLOW_BUDGET if self._replayed.server == LOCAL else BUDGET

    @property
    def cut(self) -> int | None:
        return self._known(int, "cut", "", lambda: self._asked.cut)

    def ask(self, backend: Backend, request: ChatRequest) -> Iterator[Event]:
        return backend.stream(request)  # it asks without a schema itself

    def instead(self, request: ChatRequest) -> ReplayedAnswering | None:
        """Return one with another default, if the folder's is gone on the server.

        The folder notes that for this question alone: the others go on with the model
        that answered them.
        """
        replayed, model = self._replayed, self._default
        if not model:
            return None
        fact = Learned("instead", replayed.server, replayed.key(request))
        other = learned(replayed, fact)
        if isinstance(other, str) and other:
            return self._with_default(other)
        place = replayed.server, model
        seen = self._mode == "only" or place in replayed.counts.offered
        if seen or self._backend.has(request):
            return None
        other = ""
        with suppress(BackendError):  # the question itself will show what is wrong
            other = _default_without(model, self._asked.backend)
            if not other:
                replayed.counts.offered.add(place)
        return self._with_default(other, replace(fact, value=other)) if other else None

    def _with_default(self, model: str, *facts: Learned) -> ReplayedAnswering:
        other = ReplayedAnswering(
            self._asked,
            self._backend,
            self._replayed,
            self._mode,
            self._facts,
            default=model,
        )
        other._new += facts
        return other

    def current_model_name(self) -> str:
        ask = self._asked.current_model_name
        if self._given:
            return self._given
        # A store of the user's own is of no notebook that has to stay as it was.
        anew = self._mode == "on" and self._replayed.folder.private
        before = len(self._new)
        name = self._known(str, "model", "", ask, anew=anew) or ""
        if len(self._new) == before and self._facts == "keep":
            self._default = name
        if name:
            self.adopt(name)
        return name

    def adopt(self, model: str) -> None:
        self._asked.adopt(model)

    def recommended_system(self, model: str) -> str:
        ask = self._asked.recommended_system
        return self._known(str, "system", model, lambda: ask(model)) or ""

    def context(self, model: str) -> int | None:
        ask = self._asked.context
        return self._known(int, "context", model, lambda: ask(model))

    def vision(self, model: str) -> bool | None:
        ask = self._asked.vision
        return self._known(bool, "vision", model, lambda: ask(model))

    def rate(self, model: str) -> float:  # noqa: ARG002
        # What was counted since would let other turns go along.
        return CAUTIOUS

    def _known(
        self,
        kind: type[_T],
        what: str,
        model: str,
        ask: Callable[[], _T | None],
        *,
        anew: bool = False,
    ) -> _T | None:
        """Return a fact from the folder, else from the server, if it may be asked."""
        fact = Learned(what, self._replayed.server, self._replayed.shortened(model))
        if self._facts == "keep" and not anew:
            value = learned(self._replayed, fact)
            if value is None or isinstance(value, kind):
                return value
        if self._mode == "only":
            return None
        value = ask()
        self._new.append(replace(fact, value=value))
        return value

    def _keep(self) -> None:
        """Keep what was asked of the server, which has answered now."""
        for fact in self._new:
            keep(self._replayed, fact)
        self._new.clear()


def _default_without(model: str, backend: Backend) -> str:
    """Return the default model of a server that has not the given one; else nothing."""
    offered = [each.name for each in backend.models() if not each.answered_by]
    if not offered or model in offered:
        return ""
    best = backend.model()
    if best is not None:
        return best.name
    return DEFAULT_MODEL if DEFAULT_MODEL in offered else offered[0]


def learned(replayed: Replayed, fact: Learned) -> Any:
    """Return the value of a fact in the folder, MISSING if it is not there."""
    key = digest(replace(fact, value=None))
    with suppress(DamagedEntryError, OSError):
        entry = replayed.folder.read(key)
        if entry is not None:
            value = Learned.of_json(entry, key).value
            return replayed.whole(value) if isinstance(value, str) else value
    return MISSING


def keep(replayed: Replayed, fact: Learned) -> None:
    """Keep a fact; an answer that cannot be stored says why, a fact does not."""
    key = digest(replace(fact, value=None))
    if isinstance(fact.value, str):
        fact = replace(fact, value=replayed.mask(replayed.shortened(fact.value)))
    with suppress(OSError):
        replayed.folder.write(key, fact.as_json(key))
