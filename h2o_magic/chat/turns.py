"""Turns and threads of a notebook's conversation: frozen values.

Turns keep the order in which they were first asked: asking again from the same cell
replaces the turn where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message, assistant, user

#: How an answer ended; an ``incomplete`` one is still being written, or the process
#: that wrote it died.
TurnStatus = Literal["complete", "stopped", "failed", "incomplete"]

#: What can be undone: a question asked, or asked again in its place; a reset; a turn
#: removed; turns added by a fork or from a file; another version chosen.
ChangeKind = Literal["ask", "replace", "reset", "drop", "fork", "import", "choose"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer. Turns with the same content are equal.

    `question` is what the user typed. `sent` is what the model was given, with the
    values that the question names; empty if that is the question itself. `images` went
    along with it.

    `status` says how the answer ended; by default only complete turns are sent as
    context. `cell` is the key of the cell that asked, None where the front end has no
    ids. `system` is the system text that was sent; `model` is the requested model,
    empty if unknown. With `begins`, a new conversation starts here: earlier turns are
    not sent with this turn or later ones. `outdated` means that it was asked before an
    earlier answer changed. `asked_at` is in seconds since 1970 (UTC), 0 if unknown.
    `facts` are JSON values (`Facts.as_metadata`).

    The store assigns `number`, the place in the thread, from 1; `sequence`, which grows
    with each question asked; and `id`. All are 0 before that.
    """

    question: str
    answer: str = ""
    status: TurnStatus = "complete"
    cell: str | None = None
    system: str = ""
    model: str = ""
    begins: bool = False
    outdated: bool = False
    asked_at: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    sent: str = ""
    images: tuple[Image, ...] = ()
    number: int = field(default=0, compare=False)
    sequence: int = field(default=0, compare=False)
    id: int = field(default=0, compare=False)

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of the files of text that went along, as far as they are known."""
        names = self.facts.get("files")
        return tuple(map(str, names)) if isinstance(names, list) else ()

    def messages(self, *, partial: bool = False) -> tuple[Message, ...]:
        """Return the turn as context for later ones: two messages, or none.

        There are none without an answer, or without a complete one unless `partial`.
        """
        if not self.answer or not (partial or self.status == "complete"):
            return ()
        question = user(self.sent or self.question, self.images)
        return question, assistant(self.answer)


@dataclass(frozen=True, slots=True)
class Thread:
    """A named conversation, with its turns in order.

    `title` is the one that a user gave it; empty if there is none.
    """

    name: str
    turns: tuple[Turn, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a turn, oldest first; `chosen`, from 1, is the current one."""

    turns: tuple[Turn, ...]
    chosen: int


@dataclass(frozen=True, slots=True)
class ThreadInfo:
    """A thread's entry in a list of threads.

    `turns` is the number of turns; `last_asked` is in seconds since 1970 (UTC), 0
    without turns. `title` is what it is called, by the user or by its first question.
    """

    name: str
    turns: int
    first_question: str = ""
    last_asked: float = 0.0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn that a search found, in the thread with this name and title.

    `snippet` is a part of its question or answer, on one line. Its texts take turns:
    one around what was searched, one that was searched, and so on.
    """

    thread: str
    title: str
    turn: Turn
    snippet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was undone or redone.

    `threads` are the names of the threads that it changed, and `turns` is how many
    turns it added, or removed (``reset``, ``drop``).
    """

    kind: ChangeKind
    threads: tuple[str, ...]
    turns: int
