"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from h2o_magic.errors import expect
from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.ledger import AnswerStore
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.row_answers import RowAnswers
from h2o_magic.tables.rows import BATCH, ColumnBatch
from h2o_magic.tables.run import KEY

if TYPE_CHECKING:
    from h2o_magic.tables.comparing import Comparison
    from h2o_magic.tables.scoring import Score

_NOT_ASKED = "not asked: the run was stopped before"


class MappedTable:
    """A table with an answer for each row.

    Attributes
    ----------
    progress : Progress
        The counts of the run.
    """

    def __init__(
        self, job: Job, store: AnswerStore, keys: bytes, progress: Progress
    ) -> None:
        self.progress = progress
        self._job = job
        self._store = store
        self._keys = keys
        self._columns = AnswerColumns(job.schema, job.rows.names)

    @cached_property
    def table(self) -> object:
        """The table, with the columns of the answers and ``error``."""
        return self._job.rows.with_columns(self._columns.kinds, self._batches())

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
        from h2o_magic.tables.scoring import score  # noqa: PLC0415 - few runs are scored

        return score(self._answers, label, column)

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
        from h2o_magic.tables.comparing import compare  # noqa: PLC0415 - as for `score`

        expect("a run over a table", other, MappedTable)
        return compare(self._answers, other._answers, label, column)

    def plot(self) -> Any:
        """Return a figure of matplotlib: rows over time, and how long each took.

        Of the rows that this run asked. A ConfigurationError if there are none, or
        matplotlib is not installed.
        """
        from h2o_magic.tables.plotting import plot  # noqa: PLC0415 - as for `score`

        return plot(self._store)

    @property
    def _answers(self) -> RowAnswers:
        return RowAnswers(self._job, self._store, self._keys)

    def _batches(self) -> Iterator[ColumnBatch]:
        for start in range(0, len(self._keys), BATCH * KEY):
            some = self._keys[start : start + BATCH * KEY]
            keys = [some[at : at + KEY] for at in range(0, len(some), KEY)]
            yield self._batch(keys)

    def _batch(self, keys: Sequence[bytes]) -> ColumnBatch:
        answers = self._store.answers(keys)
        errors = self._store.errors([key for key in keys if key not in answers])
        rows = [
            self._columns.values(answers[key].text, None)
            if key in answers
            else self._columns.values(None, errors.get(key, _NOT_ASKED))
            for key in keys
        ]
        columns = zip(*rows, strict=True)
        return {
            name: list(values)
            for name, values in zip(self._columns.kinds, columns, strict=True)
        }
