"""Changing the conversation: adding, removing and copying turns.

All functions take the database first, and a thread by its name. Each makes one change
of the notebook's history; updating a turn and erasing cannot be undone.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from h2o_magic.chat.turns import Thread, Turn, TurnStatus
from h2o_magic.conversation.store import files, rows, threads, turns, undo, versions
from h2o_magic.conversation.store.database import LARGEST, Database, damaged
from h2o_magic.errors import ConfigurationError

_OF_NOTEBOOK = "thread IN (SELECT id FROM threads WHERE notebook = ?)"


def begin(database: Database, thread: str, turn: Turn, of: turns.Place = None) -> Turn:
    """Add a turn, in the place of one or at the end; return it with id and number."""
    thread_ = threads.made(database, thread)
    old, position = turns.place_of(database, thread_, of)
    change = undo.begin(database, "replace" if old else "ask", thread_)
    if old:
        _remove(database, change, "id = ?", old)
    else:
        position = _end(database, thread_)
    id_ = _insert(database, turn, (thread_, position, change, change))
    count, _ = turns.before(database, thread_, position)
    return replace(turn, id=id_, sequence=change, number=count + 1, outdated=False)


def update(
    database: Database,
    id_: int,
    *,
    answer: str,
    status: TurnStatus,
    facts: Mapping[str, Any],
) -> None:
    """Save the answer to a question, unless its turn was deleted."""
    database.execute(
        "UPDATE turns SET answer = ?, status = ?, facts = ? WHERE id = ?",
        (rows.stored(answer), status, rows.as_facts(facts), id_),
    )


def withdraw(database: Database, id_: int, *, if_replaced: bool) -> bool:
    """Remove a question as if it had never been asked; return whether that was done.

    The turn that it replaced comes back. Nothing is done if it was removed since, or,
    with `if_replaced`, if it replaced none.
    """
    sql = "SELECT added FROM turns WHERE id = ? AND live = 1"
    change = database.value(sql, [id_])
    sql = "SELECT 1 FROM turns WHERE removed = ?"
    if change is None or (if_replaced and database.value(sql, [change]) is None):
        return False
    undo.withdraw(database, change)
    return True


def keep_before(database: Database, id_: int, answer: str) -> Turn | None:
    """Withdraw a question if the turn that it replaced asked and answered the same.

    That turn is returned; it belongs to the cell that has asked now. One that was asked
    before an earlier answer changed stays replaced.
    """
    found = database.execute(
        "SELECT old.id, old.thread, old.position, old.sequence FROM turns AS old"
        " JOIN turns AS new ON old.removed = new.added AND old.thread = new.thread"
        " WHERE new.id = ?",
        [id_],
    ).fetchone()
    if found is None:
        return None
    (old_id, *place, sequence), new = found, rows.read(database, id_)
    old = replace(rows.read(database, old_id), cell=new.cell)
    kept = {"asked_at": old.asked_at, "facts": old.facts, "status": "complete"}
    if old != replace(new, answer=answer, **kept):  # type: ignore[arg-type]
        return None
    if turns.before(database, *place)[1] > sequence:
        return None
    if not withdraw(database, id_, if_replaced=True):
        return None
    cell = rows.stored(new.cell)
    database.execute("UPDATE turns SET cell = ? WHERE id = ?", (cell, old_id))
    return old


def restore(database: Database, thread: str, turn: Turn) -> None:
    """Add a running turn that could not be salvaged at the end, with its old id."""
    thread_ = threads.made(database, thread)
    if database.value("SELECT 1 FROM turns WHERE id = ?", (turn.id,)) is None:
        place = (thread_, _end(database, thread_), turn.sequence, None)
        _insert(database, turn, place, turn.id)


def choose(
    database: Database, thread: str, number: int, version: int, running: Container[int]
) -> Turn:
    turn, position = turns.by_number(database, thread, number)
    slot = turns.thread_id(database, thread), position
    origins, chosen = versions.origins(database, *slot)
    if not 1 <= version <= len(origins):
        raise ConfigurationError(
            f"turn {number} of thread {thread} has {len(origins)} "
            f"answer{'' if len(origins) == 1 else 's'}, there is no answer {version}"
        )
    origin = origins[version - 1]
    if origin == chosen:
        return turn
    if turn.id in running:
        raise ConfigurationError(
            f"turn {number} of thread {thread} is still being answered: stop that "
            "first, or wait"
        )
    change = undo.begin(database, "choose", slot[0])
    old = rows.read(database, versions.row_of(database, *slot, origin))
    sequence = versions.sequence_of(database, *slot, origin)
    _remove(database, change, "id = ?", turn.id)
    place = (*slot, change if sequence is None else sequence, change)
    _insert(database, replace(old, cell=turn.cell), place, origin=origin)
    return turns.by_number(database, thread, number)[0]


def drop(database: Database, thread: str, number: int) -> Turn:
    turn, _ = turns.by_number(database, thread, number)
    change = undo.begin(database, "drop", turns.thread_id(database, thread))
    _remove(database, change, "id = ?", turn.id)
    return turn


def drop_cell(database: Database, thread: str, cell: str) -> bool:
    thread_ = turns.thread_id(database, thread)
    id_, _ = turns.place_of(database, thread_, cell)
    if not id_:
        return False
    change = undo.begin(database, "drop", thread_)
    _remove(database, change, "id = ?", id_)
    return True


def dropped_by(database: Database, thread: str, id_: int) -> int:
    """Return the change that dropped a turn; 0 if it is there, or cannot come back.

    Nor can it if its cell has asked again since: a cell has one turn.
    """
    found = database.value(
        "SELECT changes.id FROM turns JOIN changes ON changes.id = removed"
        " WHERE turns.id = ? AND thread = ? AND kind = 'drop' AND undone = 0"
        " AND NOT EXISTS (SELECT 1 FROM turns AS other"
        "  WHERE other.cell = turns.cell AND other.thread = turns.thread"
        "  AND other.live = 1)",
        (id_, turns.thread_id(database, thread)),
    )
    return found or 0


def bring_back(database: Database, thread: str, id_: int) -> bool:
    """Restore a dropped turn as if it had stayed; return whether that was done."""
    change = dropped_by(database, thread, id_)
    if change:
        undo.withdraw(database, change)
    return change > 0


def fork(
    database: Database,
    thread: str,
    new: str,
    at: int | None,
    *,
    overwrite: bool = False,
) -> int:
    """Copy the turns up to number `at` (None: all) to a new thread; return how many."""
    taken = turns.count(database, new)
    if taken and (not overwrite or new == thread):
        raise ConfigurationError(
            f"expected a new thread's name, got {new}, which has {taken} turns: "
            "choose another"
            + ("" if new == thread else ", or overwrite it (`--overwrite`)")
        )
    copied = turns.count(database, thread) if at is None else at
    if at is None and not copied:
        raise ConfigurationError(f"thread {thread} has no turns to copy: ask first")
    _, last = turns.by_number(database, thread, copied)
    thread_ = threads.made(database, new)
    change = undo.begin(database, "fork", thread_)
    _remove(database, change, "thread = ?", thread_)
    source, end = turns.thread_id(database, thread), _end(database, thread_)
    database.execute(
        f"INSERT INTO turns (thread, position, sequence, added, {rows.COLUMNS}) "
        f"SELECT ?, position + ?, sequence, ?, {rows.COLUMNS} FROM turns "
        "WHERE thread = ? AND live = 1 AND position <= ? ORDER BY position",
        (thread_, end, change, source, last),
    )
    return copied


def add(database: Database, new: Sequence[Thread]) -> None:
    """Add turns at the end of threads, as one change, with their outdated marks."""
    filled = [thread for thread in new if thread.turns]
    if not filled:
        return
    places = [(threads.made(database, thread.name), thread) for thread in filled]
    change = undo.begin(database, "import", *(thread_ for thread_, _ in places))
    for thread_, thread in places:
        if thread.title:
            threads.set_title(database, thread.name, thread.title)
        end = _end(database, thread_)
        for position, turn in enumerate(thread.turns, end):
            # Equal numbers mark none; 0 is less than that of any turn before it.
            sequence = 0 if turn.outdated else change
            _insert(database, turn, (thread_, position, sequence, change))


def reset(database: Database, thread: str | None) -> int:
    where, scope = _scope(database, thread)
    if database.value(f"SELECT 1 FROM turns WHERE {where} AND live = 1", scope) is None:
        return 0
    if thread is None:
        change = undo.begin(database, "reset", everywhere=True)
    else:
        change = undo.begin(database, "reset", *scope)
    return _remove(database, change, where, *scope)


def erase(database: Database, thread: str | None) -> int:
    where, scope = _scope(database, thread)
    sql = f"SELECT count(*) FROM turns WHERE {where} AND live = 1"
    count = int(database.value(sql, scope))
    database.execute(f"DELETE FROM turns WHERE {where}", scope)
    ids = "notebook" if thread is None else "id"
    database.execute(f"UPDATE threads SET title = NULL WHERE {ids} = ?", scope)
    database.execute(
        "DELETE FROM threads WHERE notebook = ? AND title IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM turns WHERE thread = threads.id)",
        [database.notebook],
    )
    database.execute(
        "DELETE FROM changes WHERE notebook = ? "
        "AND NOT EXISTS (SELECT 1 FROM turns WHERE added = changes.id) "
        "AND NOT EXISTS (SELECT 1 FROM turns WHERE removed = changes.id)",
        [database.notebook],
    )
    # Without a change, the notebook would look as if it never had a turn, and get its
    # conversation back from a copy of it.
    undo.begin(database, "erase")
    return count


def _scope(database: Database, thread: str | None) -> tuple[str, tuple[int]]:
    if thread is None:
        return _OF_NOTEBOOK, (database.notebook,)
    return "thread = ?", (turns.thread_id(database, thread),)


def _remove(database: Database, change: int, where: str, *scope: int) -> int:
    return database.execute(
        f"UPDATE turns SET live = 0, removed = ? WHERE {where} AND live = 1",
        (change, *scope),
    ).rowcount


def _end(database: Database, thread: int) -> int:
    last = database.value(
        "SELECT max((SELECT coalesce(max(position), 0) FROM turns"
        "  WHERE thread = ? AND live = 0), (SELECT coalesce(max(position), 0)"
        "  FROM turns WHERE thread = ? AND live = 1))",
        (thread, thread),
    )
    if last >= LARGEST:
        raise damaged()
    return int(last) + 1


def _insert(
    database: Database,
    turn: Turn,
    place: tuple[int, int, int, int | None],
    id_: int | None = None,
    origin: int | None = None,
) -> int:
    """Add a turn's row; `place` is thread, position, sequence and change."""
    files.keep(database, turn.images)
    values = (id_, origin, *place, *rows.as_columns(turn))
    return database.insert(
        "INSERT INTO turns"
        f" (id, origin, thread, position, sequence, added, {rows.COLUMNS}) "
        f"VALUES ({', '.join('?' * len(values))})",
        values,
    )
