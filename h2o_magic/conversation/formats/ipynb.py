"""``.ipynb``: a notebook with one cell for each turn, that shows and can be run again.

A turn is told three times, for three readers. The cell's source asks it again; its
output shows the answer; the metadata holds the turn exactly: what the question is and
how it was asked in the cell's, the answer and its facts in the output's. So clearing
the outputs takes the answers away, and running a cell again puts another in its place.

A notebook that people have worked in since is read by what they see:

- the cell and its output are as written: the turn is read from the metadata;
- the question was changed, the output was not: the new question, without an answer;
- the cell was run again: it is read like any other ``%%h2o`` cell;
- the output was cleared: the cell is passed over.

In any notebook, ``%%h2o`` cells with an answer are turns, but for those that were
asked outside the conversation. What was not an option on the cell's first line and is
not in the output's facts is not known then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.conversation.formats.answer_output import (
    EXACT_ANSWER,
    ShownAnswer,
    find_answer,
    write_output,
)
from h2o_magic.conversation.formats.checks import (
    as_list,
    as_object,
    as_text,
    joined_text,
    kind_of,
    wrong,
)
from h2o_magic.conversation.formats.fields import (
    describe,
    is_own,
    read_fields,
    read_name,
    signature,
)
from h2o_magic.conversation.formats.ipynb_cell import (
    CellOptions,
    read_source,
    write_source,
)
from h2o_magic.conversation.formats.json_text import parse, write_json

_KEY = "h2o_magic"
_IN_CELL = (
    "question",
    "system",
    "status",
    "cell",
    "model",
    "begins",
    "outdated",
    "asked_at",
)
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def write(threads: Sequence[Thread]) -> str:
    """Return `threads` as the text of a notebook (nbformat 4.5).

    Raises
    ------
    ConfigurationError
        If facts are not JSON values.
    """
    made = _made_ids(threads)
    load = next(made)
    taken = {load}
    cells = [_code_cell(load, "%load_ext h2o_magic", {}, [])]
    for thread in threads:
        for turn in thread.turns:
            key = _id(turn.cell, made, taken)
            cells.append(_turn_cell(key, turn, thread.name))
    names = [thread.name for thread in threads]
    metadata = {
        _KEY: {**signature(), "threads": names},
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4}
    return write_json({**notebook, "nbformat_minor": 5}, indent=1) + "\n"


def read(text: str) -> tuple[Thread, ...]:
    """Return the threads of a notebook: of an exported one, or of any other.

    Raises
    ------
    ConfigurationError
        If `text` is no notebook, not whole, of a newer version, or has no answered
        question in it.
    """
    notebook = as_object(parse(text), "", "a notebook")
    _check_nbformat(notebook)
    metadata = as_object(notebook.get("metadata", {}), "", "the notebook's metadata")
    found = {name: list[Turn]() for name in _listed_threads(metadata.get(_KEY))}
    exported = bool(found) or is_own(metadata.get(_KEY), "metadata")
    asking = False
    for number, value in enumerate(as_list(notebook.get("cells"), "", '"cells"'), 1):
        cell = _Cell(value, f"cell {number}")
        asking = asking or cell.asks
        for thread, turn in cell.turns():
            found.setdefault(thread, []).append(turn)
    if not any(found.values()) and (asking or not exported):
        raise wrong("", _NO_ANSWER if asking else _NO_CELL)
    return tuple(Thread(name, tuple(turns)) for name, turns in found.items())


_NO_CELL = (
    "expected a notebook with questions, got one without a cell that begins with %%h2o"
)
_NO_ANSWER = (
    "expected a notebook with answers, got one whose %%h2o cells have none: run them, "
    "save it, and import it again"
)


def _check_nbformat(notebook: Mapping[str, Any]) -> None:
    version = notebook.get("nbformat")
    if version != 4 or isinstance(version, bool):
        came = "none" if version is None else kind_of(version)
        raise wrong(
            "",
            f'expected a notebook with "nbformat" 4, got {came}: open it in Jupyter '
            "and save it",
        )


def _listed_threads(metadata: object) -> list[str]:
    if not is_own(metadata, "metadata"):
        return []
    names = as_object(metadata, "metadata", f'"{_KEY}"').get("threads")
    listed = as_list(names, "metadata", '"threads"')
    return [read_name({"thread": name}, "metadata") for name in listed]


def _code_cell(
    key: str, source: str, metadata: dict[str, Any], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": key,
        "metadata": metadata,
        "outputs": outputs,
        "source": source.splitlines(keepends=True),
    }


def _turn_cell(key: str, turn: Turn, thread: str) -> dict[str, Any]:
    metadata = {_KEY: {"thread": thread, **describe(turn, *_IN_CELL)}}
    return _code_cell(key, write_source(turn, thread), metadata, [write_output(turn)])


def _made_ids(threads: Sequence[Thread]) -> Iterator[str]:
    """Yield ids for cells without one, which no other conversation's cells have.

    A conversation that is exported again gets the same.
    """
    asked = [(t.question, t.answer, t.asked_at) for each in threads for t in each.turns]
    mark = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return (f"h2o-{mark}-{number}" for number in count())


def _id(wanted: str | None, made: Iterator[str], taken: set[str]) -> str:
    """Return the cell's own key if a notebook can have it, else a made one."""
    key = wanted or ""
    while key in taken or not _CELL_ID.fullmatch(key):
        key = next(made)
    taken.add(key)
    return key


class _Cell:
    """A cell that is being read."""

    def __init__(self, value: object, where: str) -> None:
        cell = as_object(value, where, "a cell")
        kind = as_text(cell.get("cell_type"), where, '"cell_type"')
        self._where = where
        self._id = cell.get("id")
        source = joined_text(cell.get("source"), where, '"source"')
        self._read = read_source(source) if kind == "code" else None
        self._shown: ShownAnswer | None = None
        self._saved: object = None
        if self.asks:
            outputs = as_list(cell.get("outputs"), where, '"outputs"')
            self._shown = find_answer(outputs, where)
            metadata = as_object(cell.get("metadata", {}), where, '"metadata"')
            self._saved = metadata.get(_KEY)

    @property
    def asks(self) -> bool:
        """Whether it asks a question."""
        return self._read is not None and not self._read[0].help

    def turns(self) -> Iterator[tuple[str, Turn]]:
        """Yield its turn, if it has one, after its thread's name."""
        if self._read is None or self._shown is None:
            return
        options, below = self._read
        if self._saved is None or self._shown.exact is None:
            if below.strip() and self._shown.facts.get("history") is not False:
                thread = options.thread or _thread_in(self._shown.facts)
                yield thread, self._seen_turn(options, below, self._shown)
            return
        saved = as_object(self._saved, self._where, f'"{_KEY}" in its metadata')
        turn = self._saved_turn(saved, self._shown)
        if below.split() == turn.question.split():
            yield read_name(saved, self._where), turn
        elif below.strip():
            thread = options.thread or _thread_in(self._shown.facts)
            yield thread, self._unanswered(options, below)

    def _saved_turn(self, saved: dict[str, Any], shown: ShownAnswer) -> Turn:
        answer = as_text(shown.exact, self._where, f'"{EXACT_ANSWER}"')
        fields = read_fields(saved, _IN_CELL, self._where)
        return Turn(answer=answer, facts=shown.facts, **fields)

    def _seen_turn(self, options: CellOptions, below: str, shown: ShownAnswer) -> Turn:
        model = shown.facts.get("model")
        return Turn(
            below.strip(),
            shown.text,
            shown.status,
            cell=self._key(),
            system=options.system,
            model=options.model or (model if isinstance(model, str) else ""),
            begins=options.new,
            facts=shown.facts,
        )

    def _unanswered(self, options: CellOptions, below: str) -> Turn:
        return Turn(
            below.strip(),
            "",
            "incomplete",
            cell=self._key(),
            system=options.system,
            model=options.model,
            begins=options.new,
        )

    def _key(self) -> str | None:
        return self._id if isinstance(self._id, str) else None


def _thread_in(facts: Mapping[str, Any]) -> str:
    """Return the thread that an answer's facts name."""
    name = facts.get("thread")
    return name if isinstance(name, str) and name else MAIN
