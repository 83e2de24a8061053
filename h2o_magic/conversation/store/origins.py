"""Where a notebook's conversation comes from: another one, renamed or copied."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path

from h2o_magic.conversation.store import rows
from h2o_magic.conversation.store.database import Database

#: ``("renamed", old key)`` or ``("copied", old key)``.
CameFrom = tuple[str, str]

#: Kernels whose notebook is not known have keys that begin so.
KERNEL = "kernel:"

#: The condition that a notebook is one of these; ";" follows ":".
KERNELS = "key >= 'kernel:' AND key < 'kernel;'"

# A larger notebook file, in bytes, is not read: that would hold the kernel up.
_LARGEST = 50_000_000

# SQLite before 3.32 takes no more than 999 values in a statement; a cell needs three.
_CELLS_AT_ONCE = 300

_BEGUN = (
    "(EXISTS (SELECT 1 FROM changes WHERE notebook = notebooks.id) OR EXISTS"
    " (SELECT 1 FROM threads JOIN turns ON thread = threads.id"
    "  WHERE notebook = notebooks.id))"
)


def find_origin(
    database: Database, notebook: int, cell: str | None, file: Path | None
) -> int:
    """Return the notebook that this one was before, or is a copy of; 0 without one.

    One that ever had a turn, even an erased one, has no origin. A cell's id alone
    proves little, since some programs number the cells of all notebooks alike. Where
    the file can be read, a cell of it must ask what the other notebook's cell with that
    id asked; most such cells win, then the notebook used last. Without the file, the
    cell that loads the extension decides.
    """
    sql = f"SELECT 1 FROM notebooks WHERE id = ? AND {_BEGUN}"
    if database.value(sql, [notebook]) is not None:
        return 0
    sources = cell_sources(file) if file else None  # not before: it may be long
    if sources is None:
        return 0 if cell is None else _used_last(database, cell)
    found: Counter[tuple[float, int]] = Counter()
    ids = list(sources)
    for start in range(0, len(ids), _CELLS_AT_ONCE):
        found += _asking_alike(database, ids[start : start + _CELLS_AT_ONCE], sources)
    if not found:
        return 0
    (_, origin), _ = max(found.items(), key=lambda item: (item[1], item[0]))
    return origin


def adopt(
    database: Database, origin: int, notebook: int, key: str
) -> tuple[int, CameFrom]:
    """Give a new notebook the conversation of `origin`; return its id and how.

    If the file of `origin` is gone, it was renamed, and replaces `notebook`, which has
    nothing but the `key`. Else its conversation is copied.
    """
    stored_key, stored_file = database.execute(
        "SELECT key, file FROM notebooks WHERE id = ?", [origin]
    ).fetchone()
    old = rows.as_text(stored_key)
    # A kernel's name is for some days only: a conversation that lasts keeps its own.
    if (
        stored_file is None
        or key.startswith(KERNEL)
        or os.path.exists(rows.as_text(stored_file))
    ):
        _copy(database, origin, notebook)
        return notebook, ("copied", old)
    database.execute("DELETE FROM notebooks WHERE id = ?", [notebook])
    database.execute(
        "UPDATE notebooks SET key = ? WHERE id = ?", (rows.stored(key), origin)
    )
    return origin, ("renamed", old)


def could_ask(source: str, question: str) -> bool:
    """Return whether a cell with this source may have asked a question.

    The source contains the question; or the question contains the source's text around
    names in braces, since it is kept with their values.
    """
    if question in source:
        return True
    first, _, rest = source.partition("\n")
    pieces = re.split(r"\{[^{}\n]*\}", rest if first.startswith("%%") else source)
    texts = [text for text in map(str.strip, pieces) if text]
    place = 0
    for text in texts:
        found = question.find(text, place)
        if found < 0:
            return False
        place = found + len(text)
    return len(pieces) > 1 and bool(texts)


def ask_alike(database: Database, notebook: int, sources: Collection[str]) -> bool:
    """Return whether cells whose ids are new are a notebook's, by what they ask.

    They are if half of the questions are theirs, or half of theirs its.
    """
    found = database.execute(
        "SELECT DISTINCT question FROM turns JOIN threads ON threads.id = thread "
        "WHERE notebook = ? AND live = 1 AND turns.cell IS NOT NULL",
        [notebook],
    )
    questions = [rows.as_text(question) for (question,) in found]
    cells = [source for source in sources if source.startswith("%%h2o")]
    known = sum(any(_asks(s, question) for s in sources) for question in questions)
    again = sum(any(_asks(source, q) for q in questions) for source in cells)
    return known > 0 and (2 * known >= len(questions) or 2 * again >= len(cells))


def _asks(source: str, question: str) -> bool:
    """Return whether a cell of any id plainly asks a question, and no longer one."""
    first, _, body = source.partition("\n")
    if first.startswith("%%h2o"):
        return body.strip() == question or ("{" in body and could_ask(source, question))
    return re.search(rf"(?<!\w){re.escape(question)}(?!\w)", source) is not None


def cell_sources(file: Path) -> dict[str, str] | None:
    """Return the sources of a notebook's cells by id; None if the file has none.

    It may be on another machine, not a notebook (paired with another format), huge, or
    older than the ids of cells (nbformat 4.5).
    """
    try:
        if file.stat().st_size > _LARGEST:
            return None
        cells = json.loads(file.read_bytes())["cells"]
        found = {
            cell["id"]: "".join(cell.get("source", ""))
            for cell in cells
            if isinstance(cell.get("id"), str)
        }
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    return found or None


def _used_last(database: Database, cell: str) -> int:
    """Return the notebook used last that was loaded by a cell, or has its turns."""
    found = database.value(
        f"SELECT id FROM notebooks WHERE NOT ({KERNELS}) AND {_BEGUN} AND id IN ("
        "  SELECT id FROM notebooks WHERE cell = ? UNION ALL"
        "  SELECT notebook FROM threads JOIN turns ON thread = threads.id"
        "  WHERE turns.cell = ? OR (turns.cell > ? AND turns.cell < ?)) "
        "ORDER BY used DESC LIMIT 1",
        (*[rows.stored(cell)] * 2, *rows.numbered(cell)),
    )
    return found or 0


def _asking_alike(
    database: Database, cells: Sequence[str], sources: Mapping[str, str]
) -> Counter[tuple[float, int]]:
    """Count the cells that ask the same, by when a notebook was used, and its id."""
    keys = [(rows.stored(cell), *rows.numbered(cell)) for cell in cells]
    places = ", ".join(["(?, ?, ?)"] * len(keys))
    found = database.execute(
        f"WITH seen (id, low, high) AS (VALUES {places}), asked AS ("
        "  SELECT seen.id, thread, question FROM seen"
        "  CROSS JOIN turns ON turns.cell = seen.id UNION"
        "  SELECT seen.id, thread, question FROM seen"
        "  CROSS JOIN turns ON turns.cell > low AND turns.cell < high) "
        "SELECT asked.id, question, used, notebooks.id FROM asked "
        "JOIN threads ON threads.id = asked.thread "
        f"JOIN notebooks ON notebooks.id = notebook WHERE NOT ({KERNELS})",
        [*chain(*keys)],
    )
    alike = {
        (rows.as_text(cell), used, notebook)
        for cell, question, used, notebook in found
        if could_ask(sources[rows.as_text(cell)], rows.as_text(question))
    }
    return Counter((used, notebook) for _, used, notebook in alike)


def _copy(database: Database, origin: int, notebook: int) -> None:
    """Copy the turns of a notebook to another one, without its history."""
    database.execute(
        "UPDATE notebooks SET (thread, settings) = "
        "(SELECT thread, settings FROM notebooks WHERE id = ?) WHERE id = ?",
        (origin, notebook),
    )
    database.execute(
        "INSERT OR IGNORE INTO threads (notebook, name, title) "
        "SELECT ?, name, title FROM threads WHERE notebook = ? AND EXISTS "
        "(SELECT 1 FROM turns WHERE thread = threads.id AND live = 1) ORDER BY id",
        (notebook, origin),
    )
    for old, new in database.execute(
        "SELECT old.id, new.id FROM threads AS new JOIN threads AS old USING (name) "
        "WHERE new.notebook = ? AND old.notebook = ?",
        (notebook, origin),
    ).fetchall():
        database.execute(
            f"INSERT INTO turns (thread, position, sequence, {rows.COLUMNS}) "
            f"SELECT ?, position, sequence, {rows.COLUMNS} FROM turns "
            "WHERE thread = ? AND live = 1 ORDER BY position",
            (new, old),
        )
