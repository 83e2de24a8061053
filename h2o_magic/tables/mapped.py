"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice, repeat
from operator import index
from typing import TYPE_CHECKING, Any

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, expect
from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job, Only
from h2o_magic.tables.measures.row_answers import RowAnswers
from h2o_magic.tables.rows import BATCH, Row
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.running.run import KEY
from h2o_magic.tables.running.usage import RunUsage
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.view import run_markdown, run_plain

if TYPE_CHECKING:
    from h2o_magic.tables.measures.comparing import Comparison
    from h2o_magic.tables.measures.scoring import Score

#: Why a row has neither an answer nor an error, by how the run ended.
_WITHOUT = {
    "stopped": "not asked: the run was stopped",
    "failed": "not asked: the run ended early",
}
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
        Whether the table is a file, which a run that ends has written.
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
        self.rows = len(keys) // KEY
        out = progress.left_out.items()
        self.notes = (*job.notes, *(f"{name} was left out: {why}" for name, why in out))
        self.mask = job.mask
        self.is_file = getattr(job.rows, "target", None) is not None
        self._run = run
        self._job = job
        self._store = store
        self._keys = keys
        self._columns = AnswerColumns(job.schema, job.rows.names)

    @cached_property
    def table(self) -> object:
        """The table with the answers and ``error``; of a file, the path of another."""
        try:
            return self._job.rows.with_columns(self._columns.kinds, self._answers())
        finally:
            self._store.close()

    @cached_property
    def errors(self) -> object:
        """The rows that have no answer, with ``error``; a file's by their numbers."""
        try:
            found = dict(self._failed())
        finally:
            self._store.close()
        rows = self._job.rows.take(list(found))
        errors = ((error,) for error in found.values())
        return rows.with_columns({self._columns.error: "text"}, errors)

    def __len__(self) -> int:
        """Return the number of rows; those that were read, of an unknown number."""
        count = self._job.rows.count
        return self.rows if count is None else count

    def head(self, count: int) -> tuple[list[str], list[tuple[object, ...]]]:
        """Return the names and the first rows of the prompt's and the new columns.

        The column of errors only if one of these rows has one.
        """
        used = self._job.template.columns
        given = next(iter(self._job.rows.batches(used)), [])[:count]
        keys = [self._keys[at * KEY : (at + 1) * KEY] for at in range(len(given))]
        try:
            answers = list(self._values([key for key in keys if key]))
        finally:
            self._store.close()
        new = list(self._columns.kinds)
        if not any(row[-1] for row in answers):
            new, answers = new[:-1], [row[:-1] for row in answers]
        rows = [(*row, *more) for row, more in zip(given, answers, strict=False)]
        return [*used, *new], rows

    def answers(self) -> list[RowAnswer | None]:
        """Return the answer to each row, None for one that has none."""
        keys = [key for keys in self._key_batches() for key in keys]
        try:
            found = self._store.answers(keys)
        finally:
            self._store.close()
        return [found.get(key) for key in keys]

    def _repr_markdown_(self) -> str:
        return run_markdown(self)

    def __repr__(self) -> str:
        state = self.progress.state
        errors = counted(self.progress.errors, "error")
        end = "" if state == "done" else f", {state}"
        return f"<MappedTable: {counted(len(self), 'row')}, {errors}{end}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle else run_plain(self))

    @property
    def usage(self) -> RunUsage:
        """What this run used."""
        return RunUsage.of_run(self.progress)

    @property
    def total_usage(self) -> RunUsage:
        """What all answers of the table took, in this run or in earlier ones.

        An answer to equal rows counts once.
        """
        rows = len(self._keys) // KEY
        try:
            return RunUsage.of_answers(self._distinct_answers(), rows)
        finally:
            self._store.close()

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
        if rows is None:
            keys, only = self._failed_keys(), None
        else:
            keys = set(map(self._key_at, rows))
            errors = {
                key: error
                for some in self._key_batches()
                for key, error in self._store.errors(some).items()
            }
            only = Only(frozenset(keys), errors)
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
        from h2o_magic.tables.measures.scoring import score  # noqa: PLC0415 - few runs are scored

        try:
            return score(self._row_answers, label, column)
        finally:
            self._store.close()

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
        from h2o_magic.tables.measures.comparing import compare  # noqa: PLC0415 - as for `score`

        expect("a run over a table", other, MappedTable)
        try:
            return compare(self._row_answers, other._row_answers, label, column)
        finally:
            self._store.close()
            other._store.close()

    def plot(self) -> Any:
        """Return a figure of matplotlib: rows over time, and how long each took.

        Of the rows that this run asked. A ConfigurationError if there are none, or
        matplotlib is not installed.
        """
        from h2o_magic.tables.measures.plotting import plot  # noqa: PLC0415 - as for `score`

        try:
            return plot(self._store)
        finally:
            self._store.close()

    @property
    def _row_answers(self) -> RowAnswers:
        return RowAnswers(self._job, self._store, self._keys)

    def _key_at(self, position: int) -> bytes:
        count = len(self._keys) // KEY
        try:
            at = index(position)
        except TypeError:
            at = -1
        if not 0 <= at < count:
            raise ConfigurationError(
                f"expected positions of rows from 0 to {count - 1:,}, got {position!r}"
            )
        return self._keys[at * KEY : (at + 1) * KEY]

    def _failed_keys(self) -> set[bytes]:
        return {
            key
            for keys in self._key_batches()
            for key in self._store.errors(keys)
            if any(key[:-8])  # else it has no question
        }

    def _distinct_answers(self) -> Iterator[RowAnswer]:
        seen: set[bytes] = set()
        for keys in self._key_batches():
            new = [key for key in dict.fromkeys(keys) if key not in seen]
            seen.update(new)
            yield from self._store.answers(new).values()

    def _key_batches(self) -> Iterator[list[bytes]]:
        for start in range(0, len(self._keys), BATCH * KEY):
            some = self._keys[start : start + BATCH * KEY]
            yield [some[at : at + KEY] for at in range(0, len(some), KEY)]

    def _answers(self) -> Iterator[Row]:
        """Yield the new values of each row, and what those that were not read have."""
        for keys in self._key_batches():
            yield from self._values(keys)
        yield from repeat(self._without())

    def _values(self, keys: Sequence[bytes]) -> Iterator[Row]:
        # A row that failed stays so, though a later run may have its answer.
        errors = self._store.errors(keys) if self.progress.errors else {}
        texts = self._store.texts(keys)
        for key in keys:
            if key in errors:
                yield self._columns.values(None, errors[key])
            elif key in texts:
                yield self._columns.values(texts[key], None)
            else:
                yield self._without()

    def _failed(self) -> Iterator[tuple[int, str]]:
        """Yield the numbers of rows without an answer, and why."""
        rows = ((number, row[-1]) for number, row in enumerate(self._answers()))
        for number, error in islice(rows, len(self)):
            if error is not None:
                yield number, str(error)

    def _without(self) -> Row:
        why = _WITHOUT.get(self.progress.state, _REMOVED)
        return self._columns.values(None, why)
