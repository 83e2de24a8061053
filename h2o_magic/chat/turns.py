"""Turns and threads, as a notebook's conversation keeps them: frozen values.

A :class:`Turn` is one question with its answer. A :class:`Thread` is a named, ordered
tuple of turns. Their order is that of the first asking: asking again from the same cell
puts the new turn in the old one's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from h2o_magic.chat.messages import Message, assistant, user

#: How an answer ended; ``incomplete`` is one whose end nobody saw: it is still being
#: written, or the process that wrote it died.
TurnStatus = Literal["complete", "stopped", "failed", "incomplete"]

#: What can be taken back: a question asked, or asked again from its place; a reset;
#: a turn taken out; turns that came by a fork or from a file; another version chosen.
ChangeKind = Literal["ask", "replace", "reset", "drop", "fork", "import", "choose"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and what came of it. Equal when the content is.

    Attributes
    ----------
    question : str
        The user's text.
    answer : str
        The answer's text so far; may be partial, see `status`.
    status : {"complete", "stopped", "failed", "incomplete"}
        How the answer ended. By default only complete turns are sent as context.
    cell : str or None
        Key of the cell that asked; None where the front end has no ids.
    system : str
        The system text the question was asked under.
    model : str
        The model that was asked for; empty if unknown.
    begins : bool
        True if a new conversation begins here: turns before it are not its context,
        nor that of the turns after it.
    outdated : bool
        True if a turn before it was asked again since: it was asked on an older answer.
    asked_at : float
        When it was asked, in seconds since 1970 (UTC); 0 if unknown.
    facts : mapping
        What is known about the answer, as JSON values (`Facts.as_metadata`).
    number : int
        Its place in its thread, from 1; 0 while it has none.
    sequence : int
        Grows from one asking in the store to the next.
    id : int
        The store's key for it; 0 while it has none.
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
    number: int = field(default=0, compare=False)
    sequence: int = field(default=0, compare=False)
    id: int = field(default=0, compare=False)

    def messages(self, *, partial: bool = False) -> tuple[Message, ...]:
        """Return what the turn gives to later ones as context: two messages or none.

        Parameters
        ----------
        partial
            True takes answers that are not whole, too.
        """
        if not self.answer or not (partial or self.status == "complete"):
            return ()
        return user(self.question), assistant(self.answer)


@dataclass(frozen=True, slots=True)
class Thread:
    """A named conversation: its turns in order, numbered and marked."""

    name: str
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Versions:
    """What was asked and answered in one turn's place.

    Attributes
    ----------
    turns : tuple of Turn
        The versions, oldest first, all with the turn's number.
    chosen : int
        Which of them stands in the thread, from 1.
    """

    turns: tuple[Turn, ...]
    chosen: int


@dataclass(frozen=True, slots=True)
class ThreadInfo:
    """What a list of threads says about one.

    Attributes
    ----------
    name : str
        The thread's name.
    turns : int
        How many turns it has.
    first_question : str
        What it began with; empty without turns.
    last_asked : float
        When it was last asked, in seconds since 1970 (UTC); 0 without turns.
    """

    name: str
    turns: int
    first_question: str = ""
    last_asked: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was taken back, or made again.

    Attributes
    ----------
    kind : ChangeKind
        What had been done.
    threads : tuple of str
        The names of the threads it changed.
    turns : int
        How many turns it added, or took out (``reset``, ``drop``).
    """

    kind: ChangeKind
    threads: tuple[str, ...]
    turns: int


def marked(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return a thread's turns, in order, with their numbers and outdated marks set.

    A turn is outdated if one before it has a greater sequence number.
    """
    latest = 0
    result = []
    for number, turn in enumerate(turns, 1):
        result.append(replace(turn, number=number, outdated=turn.sequence < latest))
        latest = max(latest, turn.sequence)
    return tuple(result)
