"""A table asked as a whole: a real server, the ledger in a folder of the test's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.backends.servers.known import KnownServers
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.tables.guarding import row_check
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.runner import map_job, prepare_job, run_job
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.view import run_plain
from tests.tables.rows_server import RowsServer, rows_server

RATING = {
    "type": "object",
    "properties": {"rating": {"type": "integer"}, "why": {"type": "string"}},
    "required": ["rating", "why"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


@pytest.fixture
def session(
    server: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))  # a ledger of its own
    server.configure()
    session = Session(OpenAIBackend(f"{server.url}/v1"))
    session.configure(model="mock")
    yield session
    session.close()


def rows(count: int) -> list[dict[str, object]]:
    return [{"id": n, "text": f"review {n}"} for n in range(count)]


def test_each_row_has_its_answer(session: Session, server: RowsServer) -> None:
    mapped = run_job(prepare_job(session, rows(50), "Rate: {text}"))
    assert mapped.table == [
        {**row, "answer": f"Answer to: Rate: {row['text']}", "error": None}
        for row in rows(50)
    ]
    assert server.stats()["requests"] == 50


def test_a_second_run_asks_nothing(session: Session, server: RowsServer) -> None:
    first = run_job(prepare_job(session, rows(20), "Rate: {text}"))
    second = run_job(prepare_job(session, rows(25), "Rate: {text}"))
    assert server.stats()["requests"] == 25
    assert second.progress.known == 20
    assert second.table[:20] == first.table  # type: ignore[index]


def test_equal_rows_are_asked_once(session: Session, server: RowsServer) -> None:
    same = [{"text": "the same"}] * 40
    mapped = run_job(prepare_job(session, same, "Rate: {text}"))
    assert server.stats()["requests"] == 1
    assert {row["answer"] for row in mapped.table} == {"Answer to: Rate: the same"}  # type: ignore[attr-defined]


def test_a_row_that_fails_is_a_row_with_an_error(session: Session) -> None:
    table = [*rows(3), {"text": "FAIL"}, {"text": "CUT"}, {"text": None}]
    mapped = run_job(prepare_job(session, table, "{text}"))
    errors = [row["error"] for row in mapped.table]  # type: ignore[attr-defined]
    assert errors[:3] == [None] * 3
    assert "this row cannot be answered" in errors[3]
    assert "cut off" in errors[4]


def test_a_schema_gives_a_column_a_property(
    session: Session, server: RowsServer
) -> None:
    table = [*rows(3), {"text": "BAD one"}, {"text": "WORSE one"}]
    mapped = run_job(prepare_job(session, table, "{text}", schema=RATING))
    found = mapped.table
    assert [type(row["rating"]) for row in found] == [int] * 4 + [type(None)]  # type: ignore[attr-defined]
    assert "does not fit the schema" in found[4]["error"]  # type: ignore[index]
    assert server.stats()["requests"] == 7  # both of the last two were repaired


def test_what_checks_a_schema_is_there_before_the_run_begins(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(schema: object) -> None:
        raise MissingExtraError("an answer with a schema", "json")

    # Its import takes seconds, which are none of the run's.
    monkeypatch.setitem(prepare_job.__globals__, "AnswerCheck", missing)
    with pytest.raises(MissingExtraError):
        prepare_job(session, rows(1), "{text}", schema=RATING)


def test_an_answer_is_known_by_the_servers_address_whatever_it_is_called(
    server: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    server.configure()
    for url in (f"{server.url}/v1", server.url, f"{server.url}/v1/"):
        with closing(Session(OpenAIBackend(url))) as session:
            session.configure(model="mock")
            run_job(prepare_job(session, rows(5), "Rate: {text}"))
    assert server.stats()["requests"] == 5
    with rows_server() as other:
        for where in (server, other):
            servers = Servers(KnownServers(tmp_path / f"{id(where)}.json"))
            with closing(Session(servers=lambda: servers)) as session:  # noqa: B023
                session.connect(where.url, name="same")
                session.configure(model="mock")
                run_job(prepare_job(session, rows(5), "Rate: {text}"))
        assert other.stats()["requests"] == 5
    assert server.stats()["requests"] == 5


def test_rows_that_are_asked_again_are_the_only_ones(
    session: Session, server: RowsServer
) -> None:
    table = [*rows(5), {"text": "FAIL"}]
    first = run_job(prepare_job(session, table, "{text}"))
    second = first.again(rows=[0])
    assert server.stats()["questions"]["review 0"] == 2
    assert server.stats()["requests"] == 7
    errors = [row["error"] for row in second.table]  # type: ignore[attr-defined]
    assert errors[:5] == [None] * 5
    assert "this row cannot be answered" in errors[5]


def test_what_a_run_forgot_stays_forgotten_when_it_goes_on(
    session: Session, server: RowsServer
) -> None:
    run_job(prepare_job(session, rows(40), "{text}"))

    def stop(progress: Progress) -> None:
        if 5 <= progress.done < 40 and not progress.known:
            raise KeyboardInterrupt

    options = RunOptions(forget=True, width=1)
    stopped = run_job(prepare_job(session, rows(40), "{text}", options=options), stop)
    asked = server.stats()["requests"] - 40
    assert asked < 40
    assert "leave it out to go on" in repr(stopped.notes)
    whole = stopped.again(failed=True)
    assert server.stats()["requests"] == 80
    assert whole.progress.known == asked


def test_an_empty_answer_is_an_error_and_not_repaired(
    session: Session, server: RowsServer
) -> None:
    mapped = run_job(prepare_job(session, [{"text": "EMPTY"}], "{text}"))
    (row,) = mapped.table  # type: ignore[misc]
    assert row["error"] == "the answer is empty"
    assert server.stats()["requests"] == 1


def test_a_budget_that_cannot_be_kept_ends_the_run(
    session: Session, server: RowsServer
) -> None:
    options = RunOptions.of(price="1/2", budget=0.5)
    table = [{"text": f"NOUSAGE {n}"} for n in range(100)]
    mapped = run_job(prepare_job(session, table, "{text}", options=options))
    assert mapped.progress.state == "stopped"
    assert "does not say how many tokens" in mapped.progress.reason
    assert server.stats()["requests"] <= 8


def test_rows_of_an_iterator_are_asked_while_it_is_read(
    session: Session, server: RowsServer
) -> None:
    asked: list[int] = []

    def reviews() -> Iterator[dict[str, object]]:
        for row in rows(2100):
            if row["id"] == 2050:
                asked.append(int(server.stats()["requests"]))
            yield row

    mapped = run_job(prepare_job(session, reviews(), "Rate: {text}"))
    assert asked[0] >= 900  # of the first batch; a server has some rows in hand
    assert [row["id"] for row in mapped.table] == list(range(2100))  # type: ignore[attr-defined]
    assert (len(mapped), mapped.progress.total) == (2100, 2100)


def test_a_run_that_did_not_end_writes_its_file_only_when_asked(
    session: Session, tmp_path: Path
) -> None:
    path, answers = tmp_path / "r.csv", tmp_path / "r-answers.csv"
    path.write_text("text\n" + "one\ntwo\n" * 3 + "FAIL 1\nFAIL 2\n")
    options = RunOptions(max_errors=0, width=1)
    job = prepare_job(session, path, "{text}", options=options)
    mapped = map_job(session, job, title="`r.csv`", name="rated")
    assert mapped.progress.state == "failed"
    assert "No file was written: rated.table writes the answers." in run_plain(mapped)
    assert not answers.exists()
    assert mapped.table == answers
    assert answers.read_text().startswith("text,answer,error\none,Answer to: one,\n")
    whole = map_job(session, prepare_job(session, path, "{text}"), title="`r.csv`")
    assert "8 rows in " in run_plain(whole)
    assert "FAIL 2,," in answers.read_text()


def test_a_file_with_the_only_answers_is_not_replaced_by_the_next_run(
    session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("text\none\nFAIL\n")
    job = prepare_job(session, path, "{text}", options=RunOptions(keep=False))
    mapped = map_job(session, job, title="`r.csv`")
    again = mapped.again(failed=True)
    assert again.table == tmp_path / "r-answers.csv"
    with pytest.raises(ConfigurationError, match=r"r-answers\.csv exists: "):
        prepare_job(session, path, "{text}")


def test_a_secret_in_the_prompt_is_said_once_before_anything_is_asked(
    session: Session, server: RowsServer
) -> None:
    check = row_check(["geheim-0123456789abcdef"])
    with pytest.raises(ConfigurationError, match="the prompt holds the key of a known"):
        prepare_job(session, rows(3), "geheim-0123456789abcdef {text}", check=check)
    assert server.stats()["requests"] == 0
