"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from itertools import islice
from operator import index
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, expect
from h2o_magic.tables.job import Job, Only
from h2o_magic.tables.measures import comparing, plotting, scoring
from h2o_magic.tables.measures.comparing import Comparison
from h2o_magic.tables.measures.scoring import Score
from h2o_magic.tables.row_answers import RowAnswers
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.running.run import is_question
from h2o_magic.tables.running.usage import RunUsage
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.view import run_markdown, run_plain

#: Why a row has neither an answer nor an error, by how the run ended.
_WITHOUT = {
    "stopped": "not asked: the run was stopped",
    "failed": "not asked: the run ended early",
}
_FORGOT = "with `--forget`, all rows are asked again: leave it out to go on"
_REMOVED = "its answer was removed from where answers are kept"


class MappedTable:
    """A table with an answer for each row.

    Attributes
    ----------
    progress : Progress
        The counts of the run.
    name : str
        The variable that has it; empty if there is none.
    rows : int
        How many rows were read.
    notes : tuple of str
        What was not put into the prompt as it was typed, and which of several servers
        were left out, one line each.
    is_file : bool
        Whether the table is a file: written at the end of a run, else by `table`.
    mask : callable
        Returns a text as it may be shown, without secrets.
    """

    def __init__(
        self,
        job: Job,
        store: AnswerStore,
        keys: bytes,
        progress: Progress,
        run: Callable[[Job, AnswerStore], MappedTable],
    ) -> None:
        self.progress = progress
        self.name = ""
        out = progress.left_out.items()
        self.notes = (*job.notes, *(f"{name} was left out: {why}" for name, why in out))
        if job.options.forget and progress.state != "done":
            self.notes += (_FORGOT,)
        self.mask = job.mask
        self.is_file = job.rows.is_file
        self._run = run
        self._job = job
        self._store = store
        without = _WITHOUT.get(progress.state, _REMOVED)
        self._answers = RowAnswers(job, store, keys, without)
        self.rows = self._answers.read

    @cached_property
    def table(self) -> object:
        """The table with the answers and ``error``; of a file, the path of another."""
        columns = self._answers.columns
        return self._job.rows.with_columns(columns.kinds, self._answers.values())

    @cached_property
    def errors(self) -> object:
        """The rows that have no answer, with ``error``; a file's by their numbers."""
        errors = {
            number: values[-1:]
            for number, values in enumerate(islice(self._answers.values(), len(self)))
            if values[-1] is not None
        }
        rows = self._job.rows.take(list(errors))
        kinds = self._answers.columns.kinds
        return rows.with_columns(dict([*kinds.items()][-1:]), iter(errors.values()))

    @property
    def usage(self) -> RunUsage:
        """What this run used."""
        return RunUsage.of_run(self.progress)

    def again(
        self, *, failed: bool = False, rows: Iterable[int] | None = None
    ) -> MappedTable:
        """Ask some rows again, and return the table with their new answers.

        Parameters
        ----------
        failed
            True for all rows that have an error, or were not asked.
        rows
            Positions of rows, from 0, whatever the table's index is. An equal row gets
            the same new answer.

        Raises
        ------
        ConfigurationError
            If neither or both are given, or there is no row at a position.
        """
        if failed == (rows is not None):
            raise ConfigurationError(
                "expected `failed=True` or `rows=[...]`: which rows are asked again"
            )
        only = None
        if rows is not None:
            keys = {self._answers.key(row) for row in self._positions(rows)}
            only = Only(frozenset(keys), self._answers.failures())
        else:
            keys = set(filter(is_question, self._answers.failures()))
        options = replace(self._job.options, only=only)
        job = replace(self._job, options=options)
        return self._run(job, self._store.again(keys))

    def score(self, label: str, column: str | None = None) -> Score:
        """Compare the answers with a column of the table that knows them.

        Parameters
        ----------
        label
            The column of the table. Rows where it is empty are left out.
        column
            The column of the answers; by default the one called as the label, or the
            only one.

        Raises
        ------
        ConfigurationError
            If there is no such column, or no label.
        """
        return scoring.score(self._answers, label, column)

    def compare(
        self, other: MappedTable, label: str | None = None, column: str | None = None
    ) -> Comparison:
        """Compare the answers with those of another run over the same rows.

        Parameters
        ----------
        other
            A run with another model, or another prompt.
        label
            A column of the table that knows; with it, the two are tested.
        column
            The column of the answers; by default as for :meth:`score` with a label,
            else all.

        Raises
        ------
        ConfigurationError
            If the rows are not the same, or there is no such column.
        """
        expect("a run over a table", other, MappedTable)
        return comparing.compare(self._answers, other._answers, label, column)

    def plot(self) -> Any:
        """Return a figure of matplotlib: rows over time, and how long each took.

        Of the rows that this run asked. A ConfigurationError if there are none, or
        matplotlib is not installed.
        """
        return plotting.plot(self._store)

    def __len__(self) -> int:
        """Return the number of rows; those that were read, of an unknown number."""
        count = self._job.rows.count
        return self.rows if count is None else count

    def head(self, count: int) -> tuple[list[str], list[tuple[object, ...]]]:
        """Return the names and the first rows of the prompt's and the new columns.

        The column of errors only if one of these rows has one.
        """
        used = self._job.template.columns
        given = next(iter(self._job.rows.batches(used)), [])[: min(count, self.rows)]
        answers = list(islice(self._answers.values(), len(given)))
        new = list(self._answers.columns.kinds)
        if not any(row[-1] for row in answers):
            new, answers = new[:-1], [row[:-1] for row in answers]
        rows = [(*row, *more) for row, more in zip(given, answers, strict=True)]
        return [*used, *new], rows

    def __repr__(self) -> str:
        state = self.progress.state
        errors = counted(self.progress.errors, "error")
        end = "" if state == "done" else f", {state}"
        return f"<MappedTable: {counted(len(self), 'row')}, {errors}{end}>"

    def _repr_markdown_(self) -> str:
        return run_markdown(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle else run_plain(self))

    def _positions(self, rows: Iterable[int]) -> list[int]:
        last = self.rows - 1
        try:
            found = list(rows)
        except TypeError:
            raise ConfigurationError(
                "expected positions of rows in a list, such as `rows=[17]`, got "
                f"{rows!r}"
            ) from None
        for row in found:
            if not 0 <= _position(row) <= last:
                raise ConfigurationError(
                    f"expected positions of rows from 0 to {last:,}, got {row!r}"
                )
        return [index(row) for row in found]


def _position(value: Any) -> int:
    """Return a whole number, also one of numpy; -1 if it is none, or a bool."""
    try:
        return -1 if isinstance(value, bool) else index(value)
    except TypeError:
        return -1
