"""Stored answers in a session: which folder, and what is asked of no server again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from h2o_magic.backends import registry
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.entry import Learned
from h2o_magic.backends.replay.replayed import ReplayCounts, Replayed
from h2o_magic.backends.servers.connect import Connected
from h2o_magic.config.replay import ReplayChoice, ReplayMode
from h2o_magic.conversation.answering import Answering, Serving
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.replayed_answering import (
    Facts,
    ReplayedAnswering,
    keep,
    learned,
)
from h2o_magic.conversation.schema_fallback import SchemaFallback
from h2o_magic.errors import ConfigurationError, ReplayMissError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.weights.digest import weights_digest

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        self, asked: Answering, question: Question, serving: Serving, *, learns: bool
    ) -> ReplayedAnswering:
        """Return what answers a question that goes to a server.

        With `learns`, what it depends on is asked of the server again, and kept.

        A ConfigurationError if it is to be asked again, and nobody may be asked.
        """
        mode = mode_of(question.replay, fresh=question.fresh)
        replayed = self.replayed(
            question.replay,
            serving.name,
            weights=weights_digest if serving.local else lambda _model: "",
            cell="magic" if question.shown else "",
            asker=question.cell,
        )
        backend = ReplayBackend(
            serving.backend,
            replayed,
            mode,
            ask=SchemaFallback,
            speed=question.replay_speed,
        )
        facts: Facts = "learn" if learns else "keep"
        return ReplayedAnswering(asked, backend, replayed, mode, facts)

    def replayed(self, choice: ReplayChoice, server: str, **others: Any) -> Replayed:
        """Return what answers from a folder for a server of this name."""
        return Replayed.of(
            choice,
            self._base,
            server,
            mask=self._masked,
            warn=self._warn,
            counts=self.counts,
            **others,
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
            kept = _checked(Connected(**value))
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


def _checked(connected: Connected) -> Connected:
    """Return what a folder says of a server; a TypeError for what cannot be."""
    texts = (connected.server, connected.url, connected.what, connected.model)
    known = connected.dialect in registry.names()
    if not known or not all(isinstance(text, str) for text in texts):
        raise TypeError("expected a server's facts as texts, and a known dialect")
    return connected


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
