"""``.ipynb``: a notebook with one cell for each turn, which can be run again.

The cell's source asks the question, its output shows the answer, and the metadata of
both holds the turn exactly. So clearing the outputs removes the answers, and running a
cell again replaces its answer.

A notebook that was edited since is read as people see it:

- cell and output unchanged: the turn is read from the metadata;
- question changed, output unchanged: the new question, without an answer;
- cell run again: it is read like any other ``%%h2o`` cell;
- output cleared: the cell is skipped.

In any notebook, ``%%h2o`` cells with an answer are turns, except those asked outside
the conversation. Of them, only the cell's options and the output's facts are known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.conversation.formats import fields, ipynb_cell
from h2o_magic.conversation.formats.fields import as_list, as_object, as_text, wrong
from h2o_magic.conversation.formats.ipynb_cell import KEY
from h2o_magic.conversation.formats.json_text import parse, write_json

_IN_CELL = ("question", "system", "status", "model", *fields.QUESTION_FIELDS)
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def write(threads: Sequence[Thread]) -> str:
    made = _made_ids(threads)
    load = next(made)
    taken = {load}
    cells = [_code_cell(load, "%load_ext h2o_magic", {}, [])]
    for thread in threads:
        for turn in thread.turns:
            saved = {"thread": thread.name, **fields.describe(turn, *_IN_CELL)}
            source = ipynb_cell.write_source(turn, thread.name)
            output = ipynb_cell.write_output(turn)
            key = _id(turn.cell, made, taken)
            cells.append(_code_cell(key, source, {KEY: saved}, [output]))
    names = [thread.name for thread in threads]
    metadata = {
        KEY: {**fields.signature(), "threads": names, **_titles(threads)},
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
    notebook = as_object(parse(text), "", "a notebook")
    _check_nbformat(notebook)
    metadata = as_object(notebook.get("metadata", {}), "", "the notebook's metadata")
    own = metadata.get(KEY)
    exported = fields.is_own(own, "metadata")
    found = {name: list[Turn]() for name in _listed_threads(own)} if exported else {}
    asking = False
    for number, value in enumerate(as_list(notebook.get("cells"), "", '"cells"'), 1):
        cell = _Cell(value, f"cell {number}")
        asking = asking or cell.asks
        for thread, turn in cell.turns():
            found.setdefault(thread, []).append(turn)
    if not any(found.values()) and (asking or not exported):
        raise wrong(
            "",
            "expected a notebook with answers, got one whose %%h2o cells have none: "
            "run them, save it, and import it again"
            if asking
            else "expected a notebook with questions, got one without a cell that "
            "begins with %%h2o",
        )
    titles = _read_titles(own) if exported else {}
    return tuple(
        Thread(name, tuple(turns), titles.get(name, ""))
        for name, turns in found.items()
    )


def _titles(threads: Sequence[Thread]) -> dict[str, dict[str, str]]:
    titles = {thread.name: thread.title for thread in threads if thread.title}
    return {"titles": titles} if titles else {}


def _read_titles(metadata: object) -> dict[str, str]:
    own = as_object(metadata, "metadata", f'"{KEY}"')
    found = as_object(own.get("titles", {}), "metadata", '"titles"')
    return {
        name: fields.read_title({"title": title}, "metadata")
        for name, title in found.items()
    }


def _check_nbformat(notebook: Mapping[str, Any]) -> None:
    version = notebook.get("nbformat")
    if version != 4 or isinstance(version, bool):
        came = "none" if version is None else fields.kind_of(version)
        raise wrong(
            "",
            f'expected a notebook with "nbformat" 4, got {came}: open it in Jupyter '
            "and save it",
        )


def _listed_threads(metadata: object) -> list[str]:
    names = as_object(metadata, "metadata", f'"{KEY}"').get("threads")
    listed = as_list(names, "metadata", '"threads"')
    return [fields.read_name({"thread": name}, "metadata") for name in listed]


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


def _made_ids(threads: Sequence[Thread]) -> Iterator[str]:
    """Yield ids for cells without one, unique to a conversation and always the same."""
    asked = [(t.question, t.answer, t.asked_at) for each in threads for t in each.turns]
    mark = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return (f"h2o-{mark}-{number}" for number in count())


def _id(wanted: str | None, made: Iterator[str], taken: set[str]) -> str:
    """Return the cell's own key if it is valid in a notebook, else a made one."""
    key = wanted or ""
    while key in taken or not _CELL_ID.fullmatch(key):
        key = next(made)
    taken.add(key)
    return key


class _Cell:
    def __init__(self, value: object, where: str) -> None:
        cell = as_object(value, where, "a cell")
        kind = as_text(cell.get("cell_type"), where, '"cell_type"')
        self._where = where
        self._id = cell.get("id")
        source = fields.joined_text(cell.get("source"), where, '"source"')
        self._read = ipynb_cell.read_source(source) if kind == "code" else None
        self._shown: ipynb_cell.ShownAnswer | None = None
        self._saved: object = None
        if self.asks:
            outputs = as_list(cell.get("outputs"), where, '"outputs"')
            self._shown = ipynb_cell.find_answer(outputs, where)
            metadata = as_object(cell.get("metadata", {}), where, '"metadata"')
            self._saved = metadata.get(KEY)

    @property
    def asks(self) -> bool:
        return self._read is not None and not self._read[0].help

    def turns(self) -> Iterator[tuple[str, Turn]]:
        """Yield its thread's name and its turn, if it has one."""
        if self._read is None or self._shown is None:
            return
        (options, below), shown = self._read, self._shown
        name, model = shown.facts.get("thread"), shown.facts.get("model")
        thread = options.thread or (name if isinstance(name, str) and name else MAIN)
        turn = Turn(
            below.strip(),
            status="incomplete",
            cell=self._id if isinstance(self._id, str) else None,
            system=options.system,
            model=options.model,
            begins=options.new,
        )
        if self._saved is None or shown.exact is None:  # written or run by hand
            if turn.question and shown.facts.get("history") is not False:
                yield (
                    thread,
                    replace(
                        turn,
                        answer=shown.text,
                        status=shown.status,
                        model=turn.model or (model if isinstance(model, str) else ""),
                        facts=shown.facts,
                    ),
                )
            return
        saved = as_object(self._saved, self._where, f'"{KEY}" in its metadata')
        answer = as_text(shown.exact, self._where, f'"{ipynb_cell.EXACT_ANSWER}"')
        written = fields.read_fields(saved, _IN_CELL, self._where)
        if below.split() == written["question"].split():
            saved_turn = Turn(answer=answer, facts=shown.facts, **written)
            yield fields.read_name(saved, self._where), saved_turn
        elif turn.question:
            yield thread, turn
