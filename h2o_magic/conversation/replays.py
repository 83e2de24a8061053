"""Stored answers in a session: which folder, and what is asked of no server again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.entry import Learned
from h2o_magic.backends.replay.folder import DamagedEntryError
from h2o_magic.backends.replay.key import digest
from h2o_magic.backends.replay.replayed import ReplayCounts, Replayed
from h2o_magic.backends.servers.connect import Connected
from h2o_magic.chat.context import CAUTIOUS
from h2o_magic.chat.events import Event
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.replay import ReplayChoice, ReplayMode
from h2o_magic.conversation.answering import Answering
from h2o_magic.conversation.fitting import BUDGET, SLOW_BUDGET
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.schema_fallback import Asked
from h2o_magic.errors import ConfigurationError, ReplayMissError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.weights.digest import weights_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_T = TypeVar("_T", int, bool, str)

#: Stands for a fact that is not in a folder.
MISSING = object()


class Replays:
    """The folders of answers that a session uses, and how often they answered.

    A relative folder is below `base`. `keys` returns the texts of the servers' keys,
    which no folder may hold; `warn` gets a line if a folder cannot be written.
    """

    def __init__(
        self,
        base: Path,
        keys: Callable[[], Iterable[str]],
        warn: Callable[[str], None],
    ) -> None:
        self.counts = ReplayCounts()
        self._base = base
        self._keys = keys
        self._warn = warn

    def answering(
        self, asked: Answering, question: Question, server: str, *, learns: bool
    ) -> ReplayedAnswering:
        """Return what answers a question, by the setting ``server``.

        With `learns`, what it depends on is asked of the server again.

        A ConfigurationError if it is to be asked again, and nobody may be asked.
        """
        choice, speed = question.replay, question.replay_speed
        mode = mode_of(choice, fresh=question.fresh)
        asker = {"cell": "magic" if question.shown else "", "asker": question.cell}
        replayed = self.replayed(choice, server, **asker)
        return ReplayedAnswering(asked, Asked, replayed, mode, speed, learns=learns)

    def replayed(self, choice: ReplayChoice, server: str, **asker: Any) -> Replayed:
        """Return what answers from a folder for a server, by the setting's name."""
        return Replayed.of(
            choice,
            self._base,
            server or LOCAL,
            mask=self._masked,
            weights=weights_digest if not server else lambda _model: "",
            warn=self._warn,
            counts=self.counts,
            **asker,
        )

    def folder(self, choice: ReplayChoice) -> Path:
        """Return where the answers are stored."""
        return self.replayed(choice, "").folder.path

    def connected(
        self, choice: ReplayChoice, server: str, name: str, dialect: str
    ) -> Connected | None:
        """Return what connecting with these arguments returned before; None if new.

        With the user's own store, a server is asked anew unless nobody may be asked:
        then a ReplayMissError, if it is new.
        """
        if choice.mode != "only" and not (choice.mode == "on" and choice.folder):
            return None
        replayed = self.replayed(choice, server)
        value = learned(replayed, _connection(server, name, dialect))
        with suppress(TypeError):
            kept = Connected(**value)
            note = f"As stored in {replayed.shown}: the server was not asked."
            models, notes = tuple(map(str, kept.models)), tuple(map(str, kept.notes))
            return replace(kept, models=models, notes=(*notes, note))
        if choice.mode == "only":
            raise ReplayMissError(
                f"{replayed.shown} does not say what {server} is, and nobody is asked "
                "while `replay` is `only`: run this once with `replay` set to `on`"
            )
        return None

    def keep_connected(
        self,
        choice: ReplayChoice,
        server: str,
        name: str,
        dialect: str,
        connected: Connected,
    ) -> None:
        """Keep what connecting returned, where answers are stored."""
        fact = replace(_connection(server, name, dialect), value=asdict(connected))
        keep(self.replayed(choice, server), fact)

    def _masked(self, text: str) -> str:
        return Guard("", os.environ, {}, self._keys()).masked(text)


class ReplayedAnswering(Answering):
    """What a question asks of a server, as it was when that answered first.

    It is kept in the folder with the first answer that depends on it, so that the same
    question is prepared in the same way on any machine, without the server.
    """

    def __init__(
        self,
        asked: Answering,
        ask: Callable[[Backend, ChatRequest], Iterator[Event]],
        replayed: Replayed,
        mode: ReplayMode,
        speed: float,
        *,
        learns: bool,
    ) -> None:
        self._asked = asked
        self._learns = learns
        self._replayed = replayed
        self._mode = mode
        self._new: list[Learned] = []
        self._backend = ReplayBackend(
            lambda: asked.backend,
            replayed,
            mode,
            ask=ask,
            speed=speed,
            on_kept=self._keep,
        )

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

    def current_model_name(self) -> str:
        ask = self._asked.current_model_name
        # A store of the user's own is of no notebook that has to stay as it was.
        anew = self._mode == "on" and self._replayed.folder.private
        name = self._known(str, "model", "", ask, anew=anew) or ""
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
        fact = Learned(what, self._replayed.server, model)
        if not (self._learns or anew):
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


def learned(replayed: Replayed, fact: Learned) -> Any:
    """Return the value of a fact in the folder, MISSING if it is not there."""
    key = digest(replace(fact, value=None))
    with suppress(DamagedEntryError, OSError):
        entry = replayed.folder.read(key)
        if entry is not None:
            return Learned.of_json(entry, key).value
    return MISSING


def keep(replayed: Replayed, fact: Learned) -> None:
    """Keep a fact; an answer that cannot be stored says why, a fact does not."""
    key = digest(replace(fact, value=None))
    with suppress(OSError):
        replayed.folder.write(key, fact.as_json(key))


def _connection(server: str, name: str, dialect: str) -> Learned:
    return Learned("connection", server, " ".join(filter(None, (name, dialect))))


def mode_of(choice: ReplayChoice, *, fresh: bool) -> ReplayMode:
    """Return the mode of one question; `fresh` asks it again."""
    if not fresh:
        return choice.mode
    if choice.mode == "only":
        raise ConfigurationError(
            "nobody is asked while `replay` is `only`, so this cannot be asked again: "
            "set `replay` to `on` for that"
        )
    return "refresh"
