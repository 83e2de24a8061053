"""The runs of the past, as the ledger has them: to be listed, and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from h2o_magic.conversation.store.database import WRITE, Database, store_error
from h2o_magic.errors import ConfigurationError, StoreError
from h2o_magic.tables.store.ledger import LAYOUT
from h2o_magic.tables.store.ledger_answers import NOTED

#: The answers of a run; one that was killed did not note its last.
_ANSWERS = "(SELECT count(*) FROM answers WHERE run = runs.id)"
#: A preview, and a run that could not begin, only look for answers.
_BEGUN = f"(done > 0 OR requests > 0 OR {_ANSWERS} > 0)"
_COLUMNS = (
    f"id, at, name, prompt, model, rows, max(done, {_ANSWERS}), known, errors, "
    "prompt_tokens + completion_tokens, state, reason, seen"
)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run: `at` and `seen` are seconds since 1970; `rows` is None if not known.

    `done` rows have their answer or error; of them `known` needed no request, and
    `errors` have an error. `tokens` are those read and written.
    """

    id: int
    at: float
    name: str
    prompt: str
    model: str
    rows: int | None
    done: int
    known: int
    errors: int
    tokens: int
    state: str
    reason: str
    seen: float

    def ending(self, now: float) -> str:
        """Return how it ended, in words."""
        if self.state != "running":
            return f"{self.state}: {self.reason}" if self.reason else self.state
        return "running" if now - self.seen < 6 * NOTED else "ended with its kernel"


class History:
    """The runs in a ledger's file, which may not be there. It raises a StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def runs(self, most: int = 20) -> list[PastRun]:
        """Return the last runs, the newest first."""
        if not self._path.exists():
            return []
        query = f"SELECT {_COLUMNS} FROM runs WHERE {_BEGUN} ORDER BY id DESC LIMIT ?"
        with self._opened() as database:
            return [PastRun(*row) for row in database.execute(query, (most,))]

    def size(self) -> int:
        """Return the bytes of the file, and of what SQLite keeps beside it."""
        size = 0
        for end in ("", "-wal"):
            with suppress(OSError):
                size += Path(f"{self._path}{end}").stat().st_size
        return size

    def answers(self) -> tuple[int, int]:
        """Return how many answers there are, and how many runs."""
        if not self._path.exists():
            return 0, 0
        answers = "SELECT count(*) FROM answers"
        runs = f"SELECT count(*) FROM runs WHERE {_BEGUN}"
        with self._opened() as database:
            return database.value(answers), database.value(runs)

    def forget(self, run: int | None) -> int:
        """Remove a run with the answers that it was given; all with None.

        Return how many answers there were. Nothing of them is left in the file.
        """
        where = "" if run is None else f" WHERE run = {run:d}"
        one = where.replace("run", "id")
        if not self._path.exists():
            return self._no_such(run)
        with self._opened() as database:
            found = database.value(f"SELECT count(*) FROM runs{one}")
            if run is not None and not found:
                return self._no_such(run)
            with database.transaction(WRITE):
                count = database.execute(f"DELETE FROM answers{where}").rowcount
                database.execute(f"DELETE FROM failures{where}")
                database.execute(f"DELETE FROM runs{one}")
            try:
                database.clean()
            except StoreError as error:
                raise StoreError(
                    "the answers are removed, but their text may still be in "
                    f"{self._path}: {error.what}",
                    f"{error.remedy}, then forget again",
                ) from error
        return count

    def _no_such(self, run: int | None) -> int:
        if run is None:
            return 0
        raise ConfigurationError(f"there is no run {run}: `%h2o runs` lists them")

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        database = Database.open(self._path, LAYOUT)
        try:
            yield database
        except Exception as error:
            raise (store_error(error) or error) from error
        finally:
            database.close()
