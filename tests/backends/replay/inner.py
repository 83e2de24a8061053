"""A backend that says what a test wants, and a backend around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.chat.messages import user
from h2o_magic.config.replay import ReplayMode

ASKED = ChatRequest("m", (user("Who are you?"),))
ANSWER: tuple[Event, ...] = (
    Source("m-2", "weights of m"),
    ReasoningDelta("Let me "),
    ReasoningDelta("see."),
    TextDelta("I am "),
    TextDelta("a model."),
    Usage(7, 4, writing_seconds=2),
    Finished("I am a model."),
)


class Inner(Backend):
    """Says the same events to each question; an exception among them is raised."""

    url = "http://lab.example"

    def __init__(self, *events: Event | Exception) -> None:
        self.events: Iterable[Event | Exception] = events or ANSWER
        self.asked: list[ChatRequest] = []

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        self.asked.append(request)
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("m")]


def around(
    inner: Backend, path: Path, mode: ReplayMode = "on", speed: float = 0, **others: Any
) -> ReplayBackend:
    replayed = Replayed(AnswerFolder(path), "lab", "answers/", **others)
    return ReplayBackend(lambda: inner, replayed, mode, speed=speed)


def entries(path: Path) -> list[dict[str, Any]]:
    folder = AnswerFolder(path)
    return [folder.read(key) or {} for key in folder.keys()]  # noqa: SIM118
