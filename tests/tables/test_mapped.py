"""What a run gives: its table, the rows that failed, and one line about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest

from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.runner import prepare_job
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress, RunState
from h2o_magic.tables.store.ledger import Ledger
from h2o_magic.tables.store.ledger_answers import LedgerAnswers, RunFacts


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "home"))
    session = Session(OpenAIBackend("http://127.0.0.1:9/v1"))  # nobody is asked
    session.configure(model="mock")
    yield session
    session.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerAnswers]:
    file = Ledger(tmp_path / "ledger.sqlite", pytest.fail)
    ledger = LedgerAnswers(file, RunFacts())
    yield ledger
    ledger.close()


SCHEMA = {"type": "object", "properties": {"stars": {"type": "integer"}}}


def mapped(
    session: Session,
    ledger: LedgerAnswers,
    table: object,
    read: int,
    *,
    state: RunState = "done",
    schema: object = None,
) -> MappedTable:
    """Return what a run gives that read some rows, of which each third failed."""
    job = prepare_job(session, table, "Rate: {text}", schema=schema)
    keys = [number.to_bytes(32, "big") for number in range(1, read + 1)]
    progress = Progress(job.rows.count)
    for number, key in enumerate(keys):
        if number % 3 == 2:
            ledger.fail(key, f"bad {number}")
            progress.errors += 1
        else:
            text = f"answer {number}" if schema is None else f'{{"stars": {number}}}'
            ledger.put(key, "asked", RowAnswer(text))
    progress.end(state)
    ledger.flush(progress)
    found = MappedTable(job, ledger, b"".join(keys), progress, lambda *_: found)
    return found


def rows(count: int) -> list[dict[str, object]]:
    return [{"text": f"row {number}"} for number in range(count)]


def test_each_row_has_its_answer_or_its_error(
    session: Session, ledger: LedgerAnswers
) -> None:
    found = mapped(session, ledger, rows(2500), 2500)
    table: Any = found.table
    assert [row["text"] for row in table] == [f"row {n}" for n in range(2500)]
    for number, row in enumerate(table):
        has_failed = number % 3 == 2
        assert row["answer"] == (None if has_failed else f"answer {number}")
        assert row["error"] == (f"bad {number}" if has_failed else None)
    assert found.table is table


def test_the_rows_that_failed_are_a_frame_with_its_index(
    session: Session, ledger: Ledger
) -> None:
    table = pandas.DataFrame(rows(9), index=list("abcdefghi"))
    errors: Any = mapped(session, ledger, table, 9, schema=SCHEMA).errors
    assert errors.index.tolist() == ["c", "f", "i"]
    assert list(errors.columns) == ["text", "error"]
    assert errors["error"].tolist() == ["bad 2", "bad 5", "bad 8"]


def test_the_rows_of_a_file_that_failed_are_numbers(
    session: Session, ledger: Ledger, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("text\n" + "a\n" * 4)
    assert mapped(session, ledger, path, 4).errors == [{"row": 2, "error": "bad 2"}]


@pytest.mark.parametrize("kind", ["list", "frame", "file"])
def test_what_a_stopped_run_did_not_ask_says_so(
    session: Session, ledger: Ledger, tmp_path: Path, kind: str
) -> None:
    table: Any = rows(7)
    if kind == "frame":
        table = pandas.DataFrame(table)
    elif kind == "file":
        table = tmp_path / "r.csv"
        pandas.DataFrame(rows(7)).to_csv(table, index=False)
    found = mapped(session, ledger, table, 2, state="stopped")
    result: Any = found.table
    if kind == "file":
        result = pandas.read_csv(result)
    if kind != "list":
        result = result.to_dict("records")
    assert [row["answer"] for row in result[:2]] == ["answer 0", "answer 1"]
    assert [row["error"] for row in result[2:]] == [
        "not asked: the run was stopped"
    ] * 5
    assert len(found.errors) == 5  # type: ignore[arg-type]
    assert repr(found) == "<MappedTable: 7 rows, 0 errors, stopped>"


def test_its_repr_is_a_line_with_its_counts(
    session: Session, ledger: LedgerAnswers
) -> None:
    found = mapped(session, ledger, rows(1200), 1200)
    assert repr(found) == "<MappedTable: 1,200 rows, 400 errors>"
    assert len(found) == 1200
    one = mapped(session, ledger, rows(1), 1)
    assert repr(one) == "<MappedTable: 1 row, 0 errors>"


def test_a_table_without_rows_gives_one_without_rows(
    session: Session, ledger: Ledger
) -> None:
    found = mapped(session, ledger, pandas.DataFrame({"text": []}), 0, schema=SCHEMA)
    table: Any = found.table
    assert (len(table), list(table.columns)) == (0, ["text", "stars", "error"])
    assert str(table["stars"].dtype) == "Int64"
    with pytest.raises(ConfigurationError, match="column in braces"):
        prepare_job(session, [], "Rate this")


def test_no_rate_is_said_where_no_row_was_asked() -> None:
    seconds = iter([5.0, 9.0])
    progress = Progress(3, clock=lambda: next(seconds))
    progress.fail("no text", 3)
    progress.end("done")
    assert progress.line() == "3 rows in 4.0 s · 3 errors"
