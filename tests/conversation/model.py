"""The simplest conversation that could be right: sets of turns, a list of changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any


@dataclass(eq=False)
class ModelTurn:
    thread: str
    position: int
    sequence: int
    question: str
    answer: str
    status: str
    cell: str | None
    begins: bool = False


@dataclass(eq=False)
class ModelChange:
    kind: str
    threads: set[str] | None  # None: all
    added: set[ModelTurn] = field(default_factory=set)
    removed: set[ModelTurn] = field(default_factory=set)
    undone: int = 0  # how many were undone up to it

    def touches(self, thread: str) -> bool:
        return self.threads is None or thread in self.threads


class Model:
    """A notebook's threads; nothing is optimised."""

    def __init__(self) -> None:
        self.changes: list[ModelChange] = []
        self._ever: dict[str, int] = {}
        self._sequence = count(1)

    @property
    def live(self) -> set[ModelTurn]:
        """What was added and not removed, by changes that were not taken back."""
        made = [change for change in self.changes if not change.undone]
        added = (turn for change in made for turn in change.added)
        return {*added}.difference(*(change.removed for change in made))

    def turns(self, thread: str) -> list[ModelTurn]:
        return sorted(
            (t for t in self.live if t.thread == thread), key=lambda t: t.position
        )

    def of_cell(self, thread: str, cell: str | None) -> ModelTurn | None:
        if cell is None:
            return None
        return next((t for t in self.turns(thread) if t.cell == cell), None)

    def context(
        self, thread: str, before: ModelTurn | None, most: int | None
    ) -> list[tuple[str, str]]:
        """Return the messages that go before a question."""
        turns = self.turns(thread)
        if before is not None:
            turns = turns[: turns.index(before)]
        begins = [i for i, turn in enumerate(turns) if turn.begins]
        if begins:
            turns = turns[begins[-1] :]
        turns = [t for t in turns if t.status == "complete" and t.answer]
        if most is not None:
            turns = turns[len(turns) - most :] if most < len(turns) else turns
        return [
            message
            for turn in turns
            for message in (("user", turn.question), ("assistant", turn.answer))
        ]

    def ask(self, thread: str, old: ModelTurn | None, **content: Any) -> ModelTurn:
        position = old.position if old else self._next(thread)
        turn = ModelTurn(thread, position, next(self._sequence), **content)
        self._change("replace" if old else "ask", {thread}, {turn}, {old} - {None})
        return turn

    def leave(self, cell: str, asked: dict[str, int]) -> None:
        """Take out what a cell has asked more than so many times in these threads."""
        for thread in sorted(asked, key=self._began):
            for turn in self.turns(thread):
                name, _, number = (turn.cell or "").partition("#")
                if name == cell and int(number or 1) > asked[thread]:
                    self.remove(turn)

    def remove(self, turn: ModelTurn) -> None:
        self._change("drop", {turn.thread}, set(), {turn})

    def reset(self, thread: str | None) -> int:
        gone = {t for t in self.live if thread in (None, t.thread)}
        if gone:
            self._change("reset", None if thread is None else {thread}, set(), gone)
        return len(gone)

    def fork(self, thread: str, new: str, at: int) -> None:
        copies = {
            ModelTurn(
                new,
                self._next(new),
                t.sequence,
                t.question,
                t.answer,
                t.status,
                t.cell,
                t.begins,
            )
            for t in self.turns(thread)[:at]
        }
        self._change("fork", {new}, copies, set())

    def undo(self, thread: str) -> ModelChange | None:
        made = [c for c in self.changes if c.touches(thread) and not c.undone]
        if not made:
            return None
        made[-1].undone = 1 + max(c.undone for c in self.changes)
        return made[-1]

    def redo(self, thread: str) -> ModelChange | None:
        """Make again what was taken back last, as the store does."""
        undone = [c for c in self.changes if c.touches(thread) and c.undone]
        found = max(undone, key=lambda c: c.undone, default=None)
        if found is not None:
            found.undone = 0
        return found

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        names = {turn.thread for turn in self.live}
        return {name: self._listed(name) for name in names}

    def _listed(self, thread: str) -> list[tuple[Any, ...]]:
        listed, latest = [], 0
        for number, t in enumerate(self.turns(thread), 1):
            old = t.sequence < latest
            latest = max(latest, t.sequence)
            listed.append(
                (number, t.question, t.answer, t.status, t.cell, t.begins, old)
            )
        return listed

    def _began(self, thread: str) -> int:
        """Return in which order the threads began: changes are made in that order."""
        return list(self._ever).index(thread) if thread in self._ever else -1

    def _next(self, thread: str) -> int:
        self._ever[thread] = self._ever.get(thread, 0) + 1
        return self._ever[thread]

    def _change(
        self,
        kind: str,
        threads: set[str] | None,
        added: set[Any],
        removed: set[Any],
    ) -> None:
        # What was taken back before cannot come again after a new change.
        self.changes = [
            c
            for c in self.changes
            if not (
                c.undone
                and (c.threads is None or threads is None or bool(c.threads & threads))
            )
        ]
        self.changes.append(ModelChange(kind, threads, added, removed))
