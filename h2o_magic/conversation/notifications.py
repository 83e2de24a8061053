"""What happens to a conversation, told to those who listen.

Notifications come from whatever thread asks, without a lock of the record.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Turn
from h2o_magic.config.forks import in_child
from h2o_magic.conversation.downloads import Download
from h2o_magic.conversation.question import Question
from h2o_magic.prompts.prompt import Prompt

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be written into a cell


class GrowingAnswer(Protocol):
    """What listeners see of an answer that is being written, or of a table's run."""

    @property
    def question(self) -> Question: ...
    @property
    def text(self) -> str: ...
    @property
    def reasoning(self) -> str: ...
    @property
    def notice(self) -> str: ...
    @property
    def waited(self) -> float: ...
    def stop(self) -> None: ...


class ComingAnswer(GrowingAnswer, Protocol):
    """What listeners see of an answer that is waiting or being written."""

    @property
    def facts(self) -> Facts: ...
    @property
    def turn(self) -> Turn | None: ...
    @property
    def waits(self) -> bool: ...
    @property
    def held(self) -> bool: ...
    def change(self, question: str | Prompt) -> None: ...
    def move(self, place: int) -> None: ...
    def hold(self) -> None: ...
    def let_go(self) -> None: ...
    def withdraw(self) -> None: ...


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """A question waits for earlier answers of its thread, or otherwise than before."""

    thread: str


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """A question is about to be sent; its turn is in the record."""

    thread: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class AnswerGrew:
    """More text, reasoning or a notice arrived; the answer is live, not a copy."""

    thread: str
    turn_id: int
    answer: GrowingAnswer


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """An answer has ended; ``ThreadChanged`` follows if its turn was not kept."""

    thread: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class ThreadChanged:
    """The turns of a thread changed, or those of all threads (None)."""

    thread: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadRenamed:
    """A user gave a thread another title, or took it away."""

    thread: str


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """A setting has a new value; the current thread is one of the settings."""

    setting: str


@dataclass(frozen=True, slots=True)
class DownloadChanged:
    """There is news of a download, or it has ended; the object is live, not a copy."""

    download: Download


Notification: TypeAlias = (
    QueueChanged
    | AnswerStarted
    | AnswerGrew
    | AnswerEnded
    | ThreadChanged
    | ThreadRenamed
    | SettingChanged
    | DownloadChanged
)


class Notifications:
    """Passes notifications on to listeners. Safe to use from any thread."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[Notification], object]] = {}
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def listen(self, callback: Callable[[Notification], object]) -> Callable[[], None]:
        """Call `callback` with every notification; return a function that ends it.

        It is called in the thread where the change happens, which waits for it: it
        should return soon and ask nothing. What it raises is logged and ignored.
        """
        key = object()  # equal callbacks are told apart

        def end() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        with self._lock:
            self._listeners[key] = callback
        return end

    def send(self, notification: Notification) -> None:
        """Call all listeners; an error of one does not affect the others."""
        for callback in list(self._listeners.values()):
            try:
                callback(notification)
            except Exception:
                _log.exception("a listener failed at %s", type(notification).__name__)
