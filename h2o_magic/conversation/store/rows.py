"""Values to columns and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args

from h2o_magic.chat.turns import Turn, TurnStatus
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
    system, model, question, sent, answer = map(as_text, (system, model, *texts))
    return Turn(
        question,
        answer,
        status if status in get_args(TurnStatus) else "incomplete",
        cell=None if cell is None else as_text(cell),
        system=system,
        model=model,
        begins=bool(begins),
        asked_at=asked_at if isinstance(asked_at, int | float) else 0.0,
        facts=from_facts(facts),
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


def as_text(value: object) -> str:
    """Return the text that :func:`stored` was given, or what damage has left of it."""
    if not isinstance(value, bytes):
        return "" if value is None else str(value)
    try:
        return value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace")


def numbered(cell: str) -> tuple[str | bytes | None, str | bytes | None]:
    """Return the bounds of the keys ``cell#2``, ``cell#3``, ... of a cell's turns."""
    return stored(f"{cell}#"), stored(f"{cell}$")  # "$" follows "#"


def cell_of(key: str) -> str:
    """Return the id of the cell whose turn has a key."""
    return re.sub(r"#\d+$", "", key)


def as_facts(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), allow_nan=False)


def from_facts(column: Any) -> Mapping[str, Any]:
    """Return what :func:`as_facts` was given; empty for damage that SQLite misses."""
    with suppress(ValueError, TypeError, RecursionError):
        known = json.loads(column)
        return known if isinstance(known, dict) else {}
    return {}
