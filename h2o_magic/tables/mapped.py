"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import repeat
from operator import index

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.answers import AnswerStore
from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.outcome import RowAnswer
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.rows import BATCH, Row
from h2o_magic.tables.run import KEY
from h2o_magic.tables.usage import RunUsage

#: Why a row has neither an answer nor an error, by how the run ended.
_WITHOUT = {
    "stopped": "not asked: the run was stopped",
    "failed": "not asked: the run ended early",
}
_REMOVED = "its answer was removed from where answers are kept"

Texts = Mapping[bytes, str]


class MappedTable:
    """A table with an answer for each row.

    Attributes
    ----------
    progress : Progress
        The counts of the run.
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
        keys = self._failed_keys() if rows is None else set(map(self._key_at, rows))
        return self._run(self._job, self._store.again(keys))

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
            for keys in self._batches()
            for key in self._store.errors(keys)
            if any(key[:-8])  # else it has no question
        }

    def _distinct_answers(self) -> Iterator[RowAnswer]:
        seen: set[bytes] = set()
        for keys in self._batches():
            new = [key for key in dict.fromkeys(keys) if key not in seen]
            seen.update(new)
            yield from self._store.answers(new).values()

    def __len__(self) -> int:
        """Return the number of rows; those that were read, of an unknown number."""
        count = self._job.rows.count
        return len(self._keys) // KEY if count is None else count

    def __repr__(self) -> str:
        state = self.progress.state
        errors = counted(self.progress.errors, "error")
        end = "" if state == "done" else f", {state}"
        return f"<MappedTable: {counted(len(self), 'row')}, {errors}{end}>"

    def _answers(self) -> Iterator[Row]:
        """Yield the new values of each row, and what those that were not asked have."""
        values = self._columns.values
        for texts, errors, keys in self._found():
            for key in keys:
                if key in errors:
                    yield values(None, errors[key])
                elif key in texts:
                    yield values(texts[key], None)
                else:
                    yield values(None, self._without())
        yield from repeat(values(None, self._without()))

    def _failed(self) -> Iterator[tuple[int, str]]:
        """Yield the numbers of rows without an answer, and why."""
        start = 0
        for texts, errors, keys in self._found():
            for number, key in enumerate(keys, start):
                if key in errors or key not in texts:
                    yield number, errors.get(key) or self._without()
            start += len(keys)
        for number in range(start, len(self)):
            yield number, self._without()

    def _found(self) -> Iterator[tuple[Texts, Texts, list[bytes]]]:
        """Yield answers, errors and keys of some rows at a time."""
        for keys in self._batches():
            # A row that failed stays so, though a later run may have its answer.
            errors = self._store.errors(keys) if self.progress.errors else {}
            yield self._store.texts(keys), errors, keys

    def _without(self) -> str:
        return _WITHOUT.get(self.progress.state, _REMOVED)

    def _batches(self) -> Iterator[list[bytes]]:
        for start in range(0, len(self._keys), BATCH * KEY):
            some = self._keys[start : start + BATCH * KEY]
            yield [some[at : at + KEY] for at in range(0, len(some), KEY)]
