"""A record against the plainest model of one: sets of rows and a list of changes."""

from __future__ import annotations

import copy
import sqlite3
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Change, Thread, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import database, files
from h2o_magic.errors import ConfigurationError, StoreError

THREADS = ["main", "über", "third"]
CELLS = [None, "a", "b", "c"]
IMAGES = tuple(
    Image(name, "image/png", 1, 2, name * 64, b"small" + data, data)
    for name, data in (("a", b"one"), ("b", b"two"))
)


@dataclass
class Row:
    thread: str
    slot: int
    turn: Turn
    sequence: int
    made: int
    origin: Row | None = None

    @property
    def first(self) -> Row:
        """The row whose copy this is, or itself."""
        return self.origin or self


@dataclass
class Done:
    """A change: which rows it added and which it took out."""

    at: int
    kind: str
    threads: set[str]
    added: list[Row]
    removed: list[Row]
    undone: int = 0


@dataclass
class Model:
    """The conversation is what follows from all changes that are not taken back."""

    changes: list[Done] = field(default_factory=list)
    erased: list[Row] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    clock: int = 0

    def live(self, thread: str) -> list[Row]:
        kept = [c for c in self.changes if not c.undone]
        gone = {id(row) for c in kept for row in c.removed}
        added = [row for c in kept for row in c.added]
        rows = [r for r in added if r.thread == thread and id(r) not in gone]
        return sorted(rows, key=lambda row: row.slot)

    def do(self, kind: str, threads: set[str], added: Any, removed: Any) -> None:
        self.purge(threads)
        self.changes.append(Done(self.clock, kind, threads, added, removed))

    def purge(self, threads: set[str]) -> None:
        self.changes = [
            c for c in self.changes if not (c.undone and c.threads & threads)
        ]

    def versions(self, row: Row) -> list[list[Row]]:
        """Return the versions in a row's place, each with its copies, oldest first."""
        found: dict[int, list[Row]] = {}
        for row_ in (r for c in self.changes if not c.undone for r in c.added):
            if (row_.thread, row_.slot) == (row.thread, row.slot):
                found.setdefault(row_.first.made, []).append(row_)
        return [found[made] for made in sorted(found)]

    def choose(self, row: Row, version: list[Row]) -> None:
        now = self.tick()
        self.purge({row.thread})
        kept = [c for c in self.changes if not c.undone]

        def was_there(time: int) -> bool:
            """Whether the version stood in its place at a time."""
            for copy_ in version:
                start = next(c.at for c in kept if copy_ in c.added)
                ends = [c.at for c in kept if any(copy_ is r for r in c.removed)]
                if start <= time and all(time < end for end in ends):
                    return True
            return False

        old = min(copy_.sequence for copy_ in version)
        later = [r.sequence for r in self.live(row.thread) if r.slot > row.slot]
        fits = all(time <= old or was_there(time) for time in later)
        last = max(version, key=lambda r: r.made)
        turn = replace(last.turn, cell=row.turn.cell)
        sequence = old if fits else now
        chosen = Row(row.thread, row.slot, turn, sequence, now, last.first)
        self.do("choose", {row.thread}, [chosen], [row])

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def of_cell(self, thread: str, cell: str | None) -> Row | None:
        rows = [r for r in self.live(thread) if cell and r.turn.cell == cell]
        return rows[-1] if rows else None

    def enter(self, thread: str) -> None:
        if thread not in self.created:
            self.created.append(thread)

    def begin(self, thread: str, turn: Turn) -> Row:
        return self.put(thread, turn, self.of_cell(thread, turn.cell))

    def put(self, thread: str, turn: Turn, old: Row | None) -> Row:
        self.enter(thread)
        now = self.tick()
        row = Row(thread, old.slot if old else now, turn, now, now)
        kind = "replace" if old else "ask"
        self.do(kind, {thread}, [row], [old] if old else [])
        return row

    def drop(self, row: Row) -> None:
        self.tick()
        self.do("drop", {row.thread}, [], [row])

    def fork(self, thread: str, new: str, at: int) -> None:
        self.enter(new)
        rows = [
            Row(new, self.tick(), r.turn, r.sequence, self.tick())
            for r in self.live(thread)[:at]
        ]
        self.do("fork", {new}, rows, [])

    def add(self, name: str, turns: tuple[Turn, ...]) -> None:
        self.enter(name)
        now = self.tick()
        rows = [
            Row(name, self.tick(), t, 0 if t.outdated else now, self.tick())
            for t in turns
        ]
        self.do("import", {name}, rows, [])

    def reset(self, thread: str | None) -> int:
        names = set(THREADS) if thread is None else {thread}
        rows = [row for name in names for row in self.live(name)]
        if rows:
            self.tick()
            self.do("reset", names, [], rows)
        return len(rows)

    def erase(self, thread: str) -> int:
        count = len(self.live(thread))
        for change in self.changes:
            change.added = [r for r in change.added if r.thread != thread]
            change.removed = [r for r in change.removed if r.thread != thread]
        self.changes = [c for c in self.changes if c.added or c.removed]
        self.created = [name for name in self.created if name != thread]
        return count

    def undo(self, thread: str) -> Change | None:
        found = [c for c in self.changes if thread in c.threads and not c.undone]
        if not found:
            return None
        found[-1].undone = 1 + max(c.undone for c in self.changes)
        return self.described(found[-1])

    def redo(self, thread: str) -> Change | None:
        found = [c for c in self.changes if thread in c.threads and c.undone]
        if not found:
            return None
        change = max(found, key=lambda c: c.undone)
        change.undone = 0
        return self.described(change)

    def described(self, change: Done) -> Change:
        taken = change.kind in ("reset", "drop")
        rows = change.removed if taken else change.added
        names = [name for name in self.created if any(r.thread == name for r in rows)]
        return Change(change.kind, tuple(names), len(rows))  # type: ignore[arg-type]

    def turns(self, thread: str) -> list[tuple[Any, ...]]:
        seen, shown = 0, []
        for number, row in enumerate(self.live(thread), 1):
            turn = row.turn
            outdated = row.sequence < seen
            shown.append((number, turn.question, turn.answer, outdated, *sent(turn)))
            seen = max(seen, row.sequence)
        return shown


def shown(turn: Turn) -> tuple[Any, ...]:
    return turn.number, turn.question, turn.answer, turn.outdated, *sent(turn)


def sent(turn: Turn) -> tuple[Any, ...]:
    return turn.sent, turn.images


class Pair:
    """A record and its model, which every step changes alike."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self.model = Model()
        self.said: list[str] = []
        self.steps = 0
        self.begun: list[tuple[int, Row]] = []
        self.open()

    def open(self) -> None:
        self.record = Record(self.path, "key", on_trouble=self.said.append)

    def ask(self, thread: str, cell: str | None, other: Any) -> None:
        self.steps += 1
        images = IMAGES[: other % 4 % 3]
        sent = "" if other % 3 else f"s{self.steps}"
        turn = Turn(
            f"q{self.steps}", cell=cell, begins=other % 5 == 0, sent=sent, images=images
        )
        row = self.model.begin(thread, turn)
        begun = self.record.begin(thread, turn)
        assert begun == turn
        assert begun.number == 1 + self.model.live(thread).index(row)
        self.begun.append((begun.id, row))

    def update(self, _thread: str, _cell: str | None, other: int) -> None:
        if self.begun:
            id_, row = self.begun[other % len(self.begun)]
            self.steps += 1
            answer = f"a{self.steps}"
            row.turn = replace(row.turn, answer=answer)
            self.record.update(id_, answer=answer, status="complete", facts={})

    def drop(self, thread: str, _cell: str | None, other: int) -> None:
        rows = self.model.live(thread)
        number = other % 7
        if 1 <= number <= len(rows):
            expected = self.model.turns(thread)[number - 1]
            self.model.drop(rows[number - 1])
            assert shown(self.record.drop(thread, number)) == expected
        else:
            with pytest.raises(ConfigurationError, match=f"no turn {number}"):
                self.record.drop(thread, number)

    def drop_cell(self, thread: str, cell: str | None, _other: int) -> None:
        row = self.model.of_cell(thread, cell)
        assert self.record.drop_cell(thread, cell or "?") == (row is not None)
        if row:
            self.model.drop(row)

    def fork(self, thread: str, _cell: str | None, other: int) -> None:
        new = THREADS[other % 3]
        rows = self.model.live(thread)
        at = None if other % 2 else other % 5
        wanted = len(rows) if at is None else at
        if not self.model.live(new) and 1 <= wanted <= len(rows):
            self.model.fork(thread, new, wanted)
            assert self.record.fork(thread, new, at) == wanted
        else:
            with pytest.raises(ConfigurationError):
                self.record.fork(thread, new, at)

    def add(self, thread: str, cell: str | None, other: int) -> None:
        self.steps += 1
        marks = [False, *(bool(other >> bit & 1) for bit in range(other % 3))]
        turns = tuple(
            Turn(f"i{self.steps}.{i}", "x", cell=cell, outdated=mark)
            for i, mark in enumerate(marks)
        )
        self.model.add(thread, turns)
        self.record.add([Thread(thread, turns)])

    def reset(self, thread: str, _cell: str | None, other: int) -> None:
        which = thread if other % 2 else None
        assert self.record.reset(which) == self.model.reset(which)

    def erase(self, thread: str, _cell: str | None, other: int) -> None:
        if other % 4 == 0 and self.said:
            with pytest.raises(StoreError, match="nothing was erased"):
                self.record.reset(thread, erase=True)
        elif other % 4 == 0:
            count = self.model.erase(thread)
            assert self.record.reset(thread, erase=True) == count

    def choose(self, thread: str, _cell: str | None, other: int) -> None:
        rows = self.model.live(thread)
        number, version = 1 + other % 4, 1 + other // 7 % 4
        if number > len(rows):
            with pytest.raises(ConfigurationError, match=f"no turn {number}"):
                self.record.choose(thread, number, version)
            return
        row = rows[number - 1]
        found = self.model.versions(row)
        if version > len(found):
            with pytest.raises(ConfigurationError, match=f"no answer {version}"):
                self.record.choose(thread, number, version)
            return
        if row not in found[version - 1]:
            self.model.choose(row, found[version - 1])
        chosen = self.record.choose(thread, number, version)
        assert shown(chosen) == self.model.turns(thread)[number - 1]

    def ask_in_place(self, thread: str, _cell: str | None, other: int) -> None:
        """Ask in the place of a turn, by the id of any version that it has had."""
        here = [(id_, row) for id_, row in self.begun if row.thread == thread]
        if not here:
            return
        id_, old = here[other % len(here)]
        self.steps += 1
        turn = Turn(f"q{self.steps}", cell=old.turn.cell)
        there = [r for r in self.model.live(thread) if r.slot == old.slot]
        row = self.model.put(thread, turn, there[0] if there else None)
        self.begun.append((self.record.begin(thread, turn, id_).id, row))

    def undo(self, thread: str, _cell: str | None, _other: int) -> None:
        assert self.record.undo(thread) == self.model.undo(thread)

    def redo(self, thread: str, _cell: str | None, _other: int) -> None:
        assert self.record.redo(thread) == self.model.redo(thread)

    def reopen(self, _thread: str, _cell: str | None, _other: int) -> None:
        if not self.said:
            self.record.close()
            self.open()

    def check(self) -> None:
        created = []
        for name in THREADS:
            expected = self.model.turns(name)
            assert [shown(t) for t in self.record.turns(name)] == expected
            last = self.record.turns(name, last=2)
            assert [shown(t) for t in last] == expected[-2:]
            assert self.record.count(name) == len(expected)
            assert sum(self.record.counts(name).values()) == len(expected)
            self.check_versions(name)
            for cell in CELLS:
                self.check_cell(name, cell, expected)
            if expected:
                created.append((name, len(expected), expected[0][1]))
        found = [(t.name, t.turns, t.first_question) for t in self.record.threads()]
        order = self.model.created
        assert found == sorted(created, key=lambda info: order.index(info[0]))
        assert self.record.thread_names() == tuple(name for name, *_ in found)
        self.check_files()

    def check_files(self) -> None:
        """What is shown has its bytes, and there are no bytes that no row names."""
        shown = [i for n in THREADS for t in self.record.turns(n) for i in t.images]
        found = self.record.image_data(image.hash for image in shown)
        assert found == {image.hash: image.data for image in IMAGES if image in shown}
        database_ = self.record._database
        assert database_ is not None
        columns = database_.execute("SELECT images FROM turns")
        named = {i.hash for (c,) in columns for i in files.from_column(c)}
        kept = {hash_ for (hash_,) in database_.execute("SELECT hash FROM files")}
        assert kept == named

    def check_versions(self, name: str) -> None:
        several = {}
        for number, row in enumerate(self.model.live(name), 1):
            versions = self.model.versions(row)
            chosen = next(i for i, v in enumerate(versions, 1) if row in v)
            found = self.record.versions(name, number)
            assert found.chosen == chosen
            assert [t.question for t in found.turns] == [
                copies[-1].turn.question for copies in versions
            ]
            if len(versions) > 1:
                several[found.turns[chosen - 1].id] = chosen, len(versions)
        assert self.record.version_counts(name) == several
        half = self.record.ids(name)[::2]
        some = {id_: several[id_] for id_ in half if id_ in several}
        assert self.record.version_counts(name, half) == some

    def check_cell(
        self, name: str, cell: str | None, expected: list[tuple[Any, ...]]
    ) -> None:
        rows = self.model.live(name)
        row = self.model.of_cell(name, cell)
        place = len(rows) if row is None else rows.index(row)
        before = [shown(t) for t in self.record.before(name, cell)]
        assert before == expected[:place][::-1]
        follow = [] if row is None else expected[place + 1 :]
        starts = [i for i, r in enumerate(rows[:place]) if r.turn.begins]
        new = [turn for turn in follow if not turn[3]]
        assert self.record.counts_around(name, cell)[1] == len(new)
        since = place - (starts[-1] if starts else 0)
        assert self.record.counts_around(name, cell)[0] == since


STEPS = [
    *(Pair.ask, Pair.ask, Pair.ask, Pair.undo, Pair.undo, Pair.redo, Pair.redo),
    *(Pair.update, Pair.drop, Pair.drop_cell, Pair.fork, Pair.add, Pair.reset),
    *(Pair.erase, Pair.reopen, Pair.choose, Pair.choose, Pair.ask_in_place),
]
SEQUENCE = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from(THREADS),
        st.sampled_from(CELLS),
        st.integers(0, 100),
    ),
    max_size=25,
)


@given(SEQUENCE)
def test_a_record_does_what_its_model_does(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder))
        for step, *arguments in steps:
            step(pair, *arguments)
            pair.check()
        pair.record.close()
        assert pair.said == []


@given(SEQUENCE, SEQUENCE)
def test_a_record_goes_on_in_memory_as_if_nothing_had_happened(
    before: list[Any], after: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "BUSY_TIMEOUT", 0.0)
        pair = Pair(Path(folder))
        for step, *arguments in before:
            step(pair, *arguments)
        at_trouble = copy.deepcopy(pair.model)
        pair.record.thread = "main"
        writer = sqlite3.connect(pair.path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")  # the file is locked from here on
        pair.record.thread = "other"
        for step, *arguments in after:
            step(pair, *arguments)
            pair.check()
        writer.close()
        assert len(pair.said) == 1
        pair.record.close()
        pair.model, pair.said = at_trouble, []
        pair.open()
        pair.check()
        assert pair.record.thread == "main"
        pair.record.close()
