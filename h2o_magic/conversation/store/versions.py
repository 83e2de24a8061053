"""The versions of a turn: what was asked in its place, before or since.

All rows of one position in a thread are versions of one turn, of which one is live.
Choosing one adds a copy of its row, with its id as `origin`: so that is a change like
any other. The last :data:`KEPT` outlive the changes that removed them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from h2o_magic.chat.turns import Versions
from h2o_magic.conversation.store import rows, turns
from h2o_magic.conversation.store.database import Database

#: How many versions of a turn are kept, including the chosen one.
KEPT = 20

_ORIGIN = "coalesce(origin, id)"

#: Rows of changes that are not undone.
_DONE = (
    "NOT EXISTS (SELECT 1 FROM changes WHERE changes.id = turns.added AND undone > 0)"
)

_SLOT = "thread = ? AND position = ?"


def of(database: Database, thread: str, number: int) -> Versions:
    turn, position = turns.by_number(database, thread, number)
    slot = turns.thread_id(database, thread), position
    found, chosen = origins(database, *slot)
    versions = [
        turn
        if origin == chosen
        else replace(
            rows.read(database, row_of(database, *slot, origin)), number=number
        )
        for origin in found
    ]
    return Versions(tuple(versions), found.index(chosen) + 1)


def counts(
    database: Database, thread: str, of: Collection[int] | None = None
) -> Mapping[int, tuple[int, int]]:
    """Return by turn id which version is chosen, of how many; fewer ids cost less."""
    which, ids = "GROUP BY position HAVING count(*) > 1", tuple(of or ())
    if of is not None:
        which = f"AND id IN ({', '.join('?' * len(ids))})"
    thread_ = turns.thread_id(database, thread)
    found = database.execute(
        f"SELECT position, {_ORIGIN}, live, id FROM turns WHERE thread = ? "
        f"AND {_DONE} AND position IN (SELECT position FROM turns WHERE thread = ? "
        f"{which}) ORDER BY position, 2, live",
        (thread_, thread_, *ids),
    )
    result = {}
    for _, slot in groupby(found.fetchall(), lambda row: row[0]):
        listed = [(origin, live, id_) for _, origin, live, id_ in slot]
        live = [(origin, id_) for origin, live, id_ in listed if live]
        if live:
            ((chosen, id_),) = live[-1:]
            kept = _kept([origin for origin, _, _ in listed], chosen)
            if len(kept) > 1:
                result[id_] = kept.index(chosen) + 1, len(kept)
    return result


def origins(
    database: Database, thread: int, position: int
) -> tuple[Sequence[int], int]:
    """Return the ids of a turn's versions, oldest first, and of the live one."""
    found = database.execute(
        f"SELECT {_ORIGIN}, live FROM turns WHERE {_SLOT} AND {_DONE}",
        (thread, position),
    ).fetchall()
    chosen = next((origin for origin, live in found if live), 0)
    return _kept([origin for origin, _ in found], chosen), chosen


def row_of(database: Database, thread: int, position: int, origin: int) -> int:
    """Return the id of a version's latest row."""
    sql = f"SELECT max(id) FROM turns WHERE {_SLOT} AND {_ORIGIN} = ? AND {_DONE}"
    return int(database.value(sql, (thread, position, origin)))


def sequence_of(
    database: Database, thread: int, position: int, origin: int
) -> int | None:
    """Return the sequence number that a version had, if it fits the turns after it.

    It does if they were asked before it, or while it was live. Else None.
    """
    sql = f"SELECT min(sequence) FROM turns WHERE {_SLOT} AND {_ORIGIN} = ?"
    sequence = int(database.value(sql, (thread, position, origin)))
    other = database.value(
        "SELECT 1 FROM turns AS later WHERE thread = ? AND live = 1 AND position > ? "
        f"AND sequence > ? AND NOT EXISTS (SELECT 1 FROM turns WHERE {_SLOT}"
        f" AND {_ORIGIN} = ? AND added <= later.sequence"
        " AND (removed IS NULL OR removed > later.sequence)) LIMIT 1",
        (thread, position, sequence, thread, position, origin),
    )
    return None if other else sequence


def prune(database: Database, change: int) -> None:
    """Delete old versions that a change removed which can no longer be undone.

    Of the last ones, one row each is kept.
    """
    slots = database.execute(
        "SELECT DISTINCT thread, position FROM turns WHERE removed = ?", [change]
    )
    for slot in slots.fetchall():
        kept, _ = origins(database, *slot)
        left = [
            origin
            for (origin,) in database.execute(
                f"SELECT {_ORIGIN} FROM turns WHERE {_SLOT}", slot
            )
        ]
        for id_, origin in database.execute(
            f"SELECT id, {_ORIGIN} FROM turns WHERE {_SLOT} AND live = 0 AND NOT EXISTS"
            " (SELECT 1 FROM changes WHERE changes.id = turns.removed) "
            "AND removed IS NOT NULL ORDER BY id",
            slot,
        ).fetchall():
            if origin not in kept or left.count(origin) > 1:
                database.execute("DELETE FROM turns WHERE id = ?", [id_])
                left.remove(origin)


def _kept(found: Sequence[int], chosen: int) -> Sequence[int]:
    others = sorted(set(found) - {chosen})
    return sorted([*others[-(KEPT - 1) :], chosen] if chosen else others[-KEPT:])
