"""Reading turns: pages of a thread, numbers, marks and counts.

All functions take the database first. A thread is given by its name, or inside this
room by its id, where 0 is a thread that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any, TypeAlias, get_args

from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.conversation.store import rows
from h2o_magic.conversation.store.database import Database
from h2o_magic.conversation.store.schema import UNANSWERED
from h2o_magic.errors import ConfigurationError

#: What identifies a turn: the key of its cell, its id, or None for no turn.
Place: TypeAlias = str | int | None

#: The position after every turn.
END = 2**62

_LIVE = "thread = ? AND live = 1"


def thread_id(database: Database, name: str) -> int:
    """Return the id of the notebook's thread with that name; 0 if there is none."""
    found = database.value(
        "SELECT id FROM threads WHERE notebook = ? AND name = ?",
        (database.notebook, rows.stored(name)),
    )
    return found or 0


def place_of(database: Database, thread: int, of: Place) -> tuple[int, int]:
    """Return id and position of a turn, or 0 and :data:`END` without one.

    The id of a turn that was asked again since stands for the one that replaced it. A
    cell has two turns only if it asked again after a reset of all threads, which was
    then undone from another thread; the later one counts.
    """
    if isinstance(of, int):
        where = "position = (SELECT position FROM turns WHERE id = ? AND thread = ?)"
        keys: tuple[Any, ...] = (of, thread)
    else:
        where, keys = "cell = ?", (rows.stored(of),)
    found = database.execute(
        f"SELECT id, position FROM turns WHERE {where} AND {_LIVE} "
        "ORDER BY position DESC LIMIT 1",
        (*keys, thread),
    ).fetchone()
    return found or (0, END)


def twins(
    database: Database, thread: str, cell: str, question: str
) -> list[tuple[int, str]]:
    """Return id and key of cells' turns that ask the same; none if the cell has one."""
    thread_ = thread_id(database, thread)
    if place_of(database, thread_, cell)[0]:
        return []
    found = database.execute(
        f"SELECT id, cell FROM turns WHERE {_LIVE} AND cell IS NOT NULL "
        "AND question = ? ORDER BY position",
        (thread_, rows.stored(question)),
    )
    return [(id_, rows.as_text(key)) for id_, key in found]


def position_of(database: Database, thread: str, of: Place) -> int:
    """Return the position of a turn, or :data:`END` without one."""
    return place_of(database, thread_id(database, thread), of)[1]


def keys_of_cell(database: Database, cell: str) -> tuple[tuple[str, str], ...]:
    """Return thread and key of a cell's turns, in order: the id, ``id#2``, ..."""
    found = database.execute(
        "SELECT name, cell FROM turns JOIN threads ON threads.id = thread "
        "WHERE notebook = ? AND live = 1 AND (cell = ? OR (cell > ? AND cell < ?)) "
        "ORDER BY thread, position",
        (database.notebook, rows.stored(cell), *rows.numbered(cell)),
    )
    return tuple((rows.as_text(name), rows.as_text(key)) for name, key in found)


def is_live(database: Database, id_: int) -> bool:
    sql = "SELECT 1 FROM turns WHERE id = ? AND live = 1"
    return database.value(sql, [id_]) is not None


def page(
    database: Database, thread: str, below: int, size: int
) -> tuple[tuple[Turn, ...], int]:
    """Return up to `size` turns (-1: all) before a position, and where they begin."""
    thread_ = thread_id(database, thread)
    found = database.execute(
        f"SELECT position, id, sequence, {rows.COLUMNS} FROM turns "
        f"WHERE {_LIVE} AND position < ? ORDER BY position DESC LIMIT ?",
        (thread_, below, size),
    ).fetchall()
    if not found:
        return (), 0
    found.reverse()
    return _as_turns(database, thread_, found), found[0][0]


def last(database: Database, thread: str, size: int | None) -> tuple[Turn, ...]:
    at_most = -1 if size is None else min(max(index(size), 0), END)
    return page(database, thread, END, at_most)[0]


def by_number(database: Database, thread: str, number: int) -> tuple[Turn, int]:
    """Return a thread's turn with that number, and its position."""
    thread_ = thread_id(database, thread)
    found = []
    if 1 <= index(number) < END:
        found = database.execute(
            f"SELECT position, id, sequence, {rows.COLUMNS} FROM turns WHERE id = "
            f"(SELECT id FROM turns WHERE {_LIVE} ORDER BY position LIMIT 1 OFFSET ?)",
            (thread_, number - 1),
        ).fetchall()
    if not found:
        turns = count(database, thread)
        has = {0: "no turns", 1: "1 turn"}.get(turns, f"{turns} turns")
        raise ConfigurationError(
            f"thread {thread} has {has}, there is no turn {number}"
        )
    return _as_turns(database, thread_, found)[0], found[0][0]


def ids(database: Database, thread: str) -> tuple[int, ...]:
    sql = f"SELECT id FROM turns WHERE {_LIVE} ORDER BY position"
    found = database.execute(sql, [thread_id(database, thread)])
    return tuple(id_ for (id_,) in found)


def with_ids(
    database: Database, thread: str, wanted: Iterable[int]
) -> tuple[Turn, ...]:
    thread_ = thread_id(database, thread)
    sql = f"SELECT position, id, sequence, {rows.COLUMNS} FROM turns WHERE id = ?"
    found = [
        row
        for id_ in set(wanted)
        for row in database.execute(f"{sql} AND {_LIVE}", (id_, thread_))
    ]
    found.sort(key=lambda row: row[0])
    return tuple(_as_turns(database, thread_, [row])[0] for row in found)


def before_each(
    database: Database, thread: str, wanted: Iterable[int]
) -> Mapping[int, Turn]:
    """Return model and facts of the turns before some, by the ids of these."""
    thread_ = thread_id(database, thread)
    sql = (
        f"SELECT model, facts FROM turns WHERE {_LIVE} AND position < "
        "(SELECT position FROM turns WHERE id = ?) ORDER BY position DESC LIMIT 1"
    )
    found = (
        (id_, *row)
        for id_ in set(wanted)
        for row in database.execute(sql, (thread_, id_))
    )
    return {
        id_: Turn("", model=rows.as_text(model), facts=rows.from_facts(facts))
        for id_, model, facts in found
    }


def newest(database: Database) -> tuple[int, ...]:
    """Return the ids of the notebook's turns, those asked last first."""
    found = database.execute(
        "SELECT turns.id FROM threads JOIN turns ON thread = threads.id AND live = 1 "
        "WHERE notebook = ? ORDER BY asked_at DESC, turns.id DESC",
        (database.notebook,),
    )
    return tuple(id_ for (id_,) in found)


def texts(
    database: Database, wanted: Iterable[int]
) -> tuple[tuple[int, str, str], ...]:
    """Return id, thread, and question with answer of the turns that are live."""
    sql = (
        "SELECT turns.id, name, question, answer FROM turns JOIN threads "
        "ON threads.id = thread WHERE turns.id = ? AND live = 1"
    )
    found = (row for id_ in wanted for row in database.execute(sql, [id_]))
    return tuple(
        (id_, rows.as_text(name), "\n".join(map(rows.as_text, texts)))
        for id_, name, *texts in found
    )


def count(database: Database, thread: str) -> int:
    return before(database, thread_id(database, thread), END)[0]


def counts(database: Database, thread: str) -> Mapping[TurnStatus, int]:
    found = database.execute(
        f"SELECT status, count(*) - (SELECT count(*) FROM turns WHERE {_LIVE} "
        f"  AND status = counted.status AND {UNANSWERED}) "
        f"FROM turns AS counted WHERE {_LIVE} GROUP BY status",
        [thread_id(database, thread)] * 2,
    )
    return {**dict.fromkeys(get_args(TurnStatus), 0), **dict(found)}


def counts_around(database: Database, thread: str, of: Place) -> tuple[int, int]:
    """Count the turns before one, and those that asking it again makes outdated.

    The first are those back to the nearest that begins a new conversation; the second
    are the turns after it that are not outdated already.
    """
    thread_ = thread_id(database, thread)
    _, position = place_of(database, thread_, of)
    since_start = "position < ? AND position >= coalesce((SELECT max(position) "
    since_start += f"FROM turns WHERE {_LIVE} AND begins = 1 AND position < ?), 0)"
    counted = database.value(
        f"SELECT count(*) - (SELECT count(*) FROM turns WHERE {_LIVE} AND {UNANSWERED}"
        f"  AND {since_start}) FROM turns WHERE {_LIVE} AND {since_start}",
        (thread_, position) * 4,
    )
    _, latest = before(database, thread_, position + 1)
    outdated = 0
    for (sequence,) in database.execute(
        f"SELECT sequence FROM turns WHERE {_LIVE} AND position > ? AND sequence >= ? "
        "ORDER BY position",
        (thread_, position, latest),
    ):
        if sequence >= latest:
            outdated, latest = outdated + 1, sequence
    return int(counted), outdated


def before(database: Database, thread: int, position: int) -> tuple[int, int]:
    """Return how many turns are before a position, and their greatest sequence."""
    found: tuple[int, int] = database.execute(
        f"SELECT (SELECT count(*) FROM turns WHERE {_LIVE} AND position < ?), coalesce("
        f"(SELECT sequence FROM turns WHERE {_LIVE} AND position < ?"
        " ORDER BY sequence DESC LIMIT 1), 0)",
        (thread, position) * 2,
    ).fetchone()
    return found


def _as_turns(
    database: Database, thread: int, found: Sequence[Sequence[Any]]
) -> tuple[Turn, ...]:
    """Return successive rows as turns; one after a greater sequence is outdated."""
    number, latest = before(database, thread, found[0][0])
    turns = []
    for _, *columns in found:
        number += 1
        sequence = columns[1]
        turns.append(rows.as_turn(columns, number=number, outdated=sequence < latest))
        latest = max(latest, sequence)
    return tuple(turns)
