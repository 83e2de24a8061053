"""Values to columns and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.store import files
from h2o_magic.conversation.store.database import Database

#: The columns that hold a turn's content, in the order of `as_columns`.
COLUMNS = (
    "status, cell, system, model, begins, asked_at, facts, images, question, sent,"
    " answer"
)


def as_columns(turn: Turn) -> tuple[Any, ...]:
    return (
        turn.status,
        stored(turn.cell),
        stored(turn.system),
        stored(turn.model),
        turn.begins,
        turn.asked_at if math.isfinite(turn.asked_at) else 0.0,
        as_facts(turn.facts),
        files.as_column(turn.images),
        stored(turn.question),
        stored(turn.sent),
        stored(turn.answer),
    )


def as_turn(columns: Sequence[Any], *, number: int = 0, outdated: bool = False) -> Turn:
    """Return the turn of a row; other turns say its number and if it is outdated."""
    id_, sequence, status, cell, system, model, begins, asked_at, *rest = columns
    facts, images, *texts = rest
    known: dict[str, Any] = {}
    with suppress(ValueError):  # damage that SQLite cannot see; the answer counts more
        known.update(json.loads(facts))
    cell, system, model, question, sent, answer = (
        as_text(text) if isinstance(text, bytes) else text
        for text in (cell, system, model, *texts)
    )
    return Turn(
        question,
        answer,
        status,
        cell=cell,
        system=system,
        model=model,
        begins=bool(begins),
        asked_at=asked_at,
        facts=known,
        sent=sent,
        images=files.from_column(images),
        sequence=sequence,
        id=id_,
        number=number,
        outdated=outdated,
    )


def read(database: Database, id_: int) -> Turn:
    sql = f"SELECT id, sequence, {COLUMNS} FROM turns WHERE id = ?"
    return as_turn(database.execute(sql, [id_]).fetchone())


def stored(text: str | None) -> str | bytes | None:
    """Return text as bytes if it is not valid Unicode, which SQLite cannot hold."""
    if text is None or text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def as_text(value: str | bytes) -> str:
    """Return the text that :func:`stored` was given."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def numbered(cell: str) -> tuple[str | bytes | None, str | bytes | None]:
    """Return the bounds of the keys ``cell#2``, ``cell#3``, ... of a cell's turns."""
    return stored(f"{cell}#"), stored(f"{cell}$")  # "$" follows "#"


def cell_of(key: str) -> str:
    """Return the id of the cell whose turn has a key."""
    return re.sub(r"#\d+$", "", key)


def as_facts(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), allow_nan=False)
