"""A run that is run again: no row is lost, none asked twice, whatever ended the first.

A real server counts what it is asked; processes are ended by SIGKILL.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.config import paths
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.schema import Checker
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.runner import prepare_job, run_job
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store.history import History
from tests.tables.rows_server import RowsServer, rows_server

RATING = {
    "type": "object",
    "properties": {"rating": {"type": "integer"}, "why": {"type": "string"}},
    "required": ["rating", "why"],
}
#: Rows at once.
WIDTH = 16
_fork = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


@pytest.fixture
def session(
    server: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    server.configure(delay=0.0, key="")
    session = session_at(server.url)
    yield session
    session.close()


def session_at(url: str) -> Session:
    session = Session(OpenAIBackend(f"{url}/v1"))
    session.configure(model="mock")
    return session


def rows(count: int) -> list[dict[str, object]]:
    return [{"id": n, "text": f"review {n}"} for n in range(count)]


def ask(
    session: Session, table: object, prompt: str = "Rate: {text}", **options: Any
) -> MappedTable:
    run = {k: options.pop(k) for k in RunOptions.__slots__ if k in options}
    return run_job(
        prepare_job(session, table, prompt, options=RunOptions(**run), **options)
    )


def column(mapped: MappedTable, name: str) -> list[Any]:
    return [row[name] for row in mapped.table]  # type: ignore[attr-defined]


def asked(server: RowsServer) -> int:
    return int(server.stats()["requests"])


# What is asked again


def test_only_added_rows_are_asked_and_changed_texts(
    session: Session, server: RowsServer
) -> None:
    ask(session, rows(20))
    table = [*rows(20), {"text": "new"}]
    table[3] = {"text": "changed"}
    assert ask(session, table).progress.known == 19
    assert asked(server) == 22
    ask(session, table, "Judge: {text}")
    assert asked(server) == 22 + 21


def test_another_model_or_parameter_is_another_question(
    session: Session, server: RowsServer
) -> None:
    ask(session, rows(3))
    ask(session, rows(3), temperature=0.5)
    assert asked(server) == 6
    ask(session, rows(3), temperature=0.5)
    assert asked(server) == 6


def test_a_failed_row_is_asked_again_by_the_next_run(
    session: Session, server: RowsServer
) -> None:
    table = [{"text": "a"}, {"text": "ONCE"}]
    first = ask(session, table)
    assert column(first, "answer")[1] is None
    second = ask(session, table)
    assert column(second, "error") == [None, None]
    assert asked(server) == 3


def test_without_keeping_nothing_is_written(
    session: Session, server: RowsServer, tmp_path: Path
) -> None:
    seen: list[Path] = []
    job = prepare_job(session, rows(3), "Rate: {text}", options=RunOptions(keep=False))
    before = list(tmp_path.rglob("*"))
    mapped = run_job(job, lambda _progress: seen.extend(tmp_path.rglob("*")))
    assert None not in column(mapped, "answer")
    assert {*seen, *tmp_path.rglob("*")} == set(before)
    ask(session, rows(3), keep=False)
    assert asked(server) == 6


@pytest.mark.parametrize("option", ["forget", "fresh"])
def test_all_rows_are_asked_again_on_demand(
    session: Session, server: RowsServer, option: str
) -> None:
    ask(session, rows(3))
    mapped = ask(session, rows(3), **{option: True})
    assert mapped.progress.known == 0
    assert None not in column(mapped, "answer")
    assert asked(server) == 6
    ask(session, rows(3))
    assert asked(server) == 6


def test_asking_again_in_vain_loses_no_answer(
    session: Session, server: RowsServer
) -> None:
    server.configure(key="sesame")
    other = Session(OpenAIBackend(f"{server.url}/v1", "sesame"))
    other.configure(model="mock")
    before = ask(other, rows(3))
    answers = column(before, "answer")
    failed = ask(session, rows(3), forget=True)
    assert failed.progress.state == "failed"
    assert set(column(failed, "answer")) == {None}
    again = ask(other, rows(3))
    assert column(again, "answer") == answers
    other.close()
    server.configure(key="")


def test_some_rows_are_asked_again_by_their_positions(
    session: Session, server: RowsServer
) -> None:
    first = ask(session, rows(5))
    second = first.again(rows=[1, 3])
    assert second.progress.known == 3
    assert second.table == first.table
    stats = server.stats()["questions"]
    assert [stats[f"Rate: review {n}"] for n in range(5)] == [1, 2, 1, 2, 1]


@pytest.mark.parametrize("keep", [True, False])
def test_failed_rows_are_asked_again(
    session: Session, server: RowsServer, keep: bool
) -> None:
    table = [*rows(3), {"text": "ONCE"}, {"text": "FAIL"}]
    first = ask(session, table, keep=keep)
    assert first.progress.errors == 2
    second = first.again(failed=True)
    assert [bool(error) for error in column(second, "error")] == [False] * 4 + [True]
    assert asked(server) == 5 + 2
    assert first.progress.errors == 2
    assert bool(column(first, "error")[3])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"failed": True, "rows": [1]},
        *({"rows": rows} for rows in ([9], [-1], ["a"], [True, False], 1)),
    ],
    ids=str,
)
def test_what_is_asked_again_must_be_there(
    session: Session, server: RowsServer, wrong: dict[str, Any]
) -> None:
    mapped = ask(session, rows(3))
    with pytest.raises(ConfigurationError, match="expected"):
        mapped.again(**wrong)
    assert asked(server) == 3


def test_usage_is_of_the_run_alone(session: Session, server: RowsServer) -> None:
    ask(session, rows(3), schema=RATING)
    table = [*rows(3), {"text": "BAD"}, {"text": "BAD"}]
    mapped = ask(session, table, schema=RATING)
    usage = mapped.usage
    assert (usage.requests, usage.tokens, usage.known) == (2, 50, 4)
    assert usage.seconds > 0


def test_a_stopped_run_shows_all_rows_and_goes_on_later(
    session: Session, server: RowsServer
) -> None:
    server.configure(delay=0.05)
    interrupted: list[int] = []

    def tell(progress: Progress) -> None:
        if progress.done >= 5 and not interrupted:
            interrupted.append(progress.done)
            os.kill(os.getpid(), signal.SIGINT)

    job = prepare_job(session, rows(200), "Rate: {text}")
    began = time.monotonic()
    mapped = run_job(job, tell)
    assert mapped.progress.state == "stopped"
    errors = column(mapped, "error")
    done = errors.count(None)
    assert len(errors) == 200
    assert 5 <= done < 200
    assert set(errors) == {None, "not asked: the run was stopped"}
    assert time.monotonic() - began < 5
    again = mapped.again(failed=True)
    assert again.progress.known == done
    assert set(column(again, "error")) == {None}


def test_a_table_whose_answers_were_forgotten_says_so(session: Session) -> None:
    mapped = ask(session, rows(2))
    connection = sqlite3.connect(paths.ledger_file())
    connection.execute("DELETE FROM answers")
    connection.commit()
    connection.close()
    assert set(column(mapped, "error")) == {
        "its answer was removed from where answers are kept"
    }


def test_forgetting_while_a_table_is_asked_loses_none_of_its_later_answers(
    session: Session, server: RowsServer
) -> None:
    forgotten: list[int] = []

    def tell(progress: Progress) -> None:
        if progress.done >= 50 and not forgotten:
            forgotten.append(History(paths.ledger_file()).forget(None))

    mapped = run_job(prepare_job(session, rows(200), "Rate: {text}"), tell)
    assert mapped.progress.state == "done"
    assert 0 < forgotten[0] < 200
    assert ask(session, rows(200)).progress.known == 200 - forgotten[0]


# In a folder of stored answers

TABLE = [*rows(4), {"text": "review 1"}, {"text": "BAD one"}, {"text": "BAD two"}]


def test_a_folder_gives_the_same_table_without_asking(
    session: Session, server: RowsServer, tmp_path: Path
) -> None:
    first = ask(session, TABLE, schema=RATING, replay="answers/")
    assert asked(server) == 4 + 2 * 2
    assert not paths.ledger_file().exists()
    assert len(list((tmp_path / "answers").glob("*/*.json"))) >= 4 + 2 * 2
    only = ask(session, TABLE, schema=RATING, replay="only answers/")
    assert repr(only.table) == repr(first.table)
    assert only.progress.known == len(TABLE)
    assert asked(server) == 4 + 2 * 2


def test_of_a_folder_only_missing_rows_are_asked(
    session: Session, server: RowsServer
) -> None:
    ask(session, TABLE, replay="answers/")
    before = asked(server)
    mapped = ask(session, [*TABLE, {"text": "new"}], replay="answers/")
    assert asked(server) == before + 1
    assert set(column(mapped, "error")) == {None}


def test_of_a_folder_alone_missing_rows_have_the_error_of_replay(
    session: Session, server: RowsServer
) -> None:
    ask(session, rows(2), replay="answers/")
    table = [*({"text": f"new {n}"} for n in range(30)), *rows(2)]
    mapped = ask(session, table, replay="only answers/")
    errors = column(mapped, "error")
    assert all("is stored in answers/, and nobody is asked" in e for e in errors[:30])
    assert errors[30:] == [None, None]
    assert asked(server) == 2
    assert mapped.progress.state == "done"


@pytest.mark.parametrize("options", [{"fresh": True}, {"replay": "refresh answers/"}])
def test_a_folder_is_refreshed(
    session: Session, server: RowsServer, options: dict[str, Any]
) -> None:
    ask(session, TABLE, replay="answers/", schema=RATING)
    before = asked(server)
    options = {"replay": "answers/", **options}
    mapped = ask(session, TABLE, schema=RATING, **options)
    assert asked(server) == 2 * before
    assert set(column(mapped, "error")) == {None}
    again = mapped.again(rows=[5])
    assert asked(server) == 2 * before + 2
    assert again.table == mapped.table


def test_what_a_folder_gave_and_what_was_asked_counts_once(
    session: Session, server: RowsServer
) -> None:
    ask(session, rows(2), replay="answers/")
    assert str(session.connection.replays.counts) == "2 asked"
    server.configure(key="sesame")
    table = [*({"text": f"new {n}"} for n in range(3)), *rows(2)]
    assert ask(session, table, replay="answers/").progress.state == "failed"
    assert session.connection.replays.counts.hits == 2


def test_two_runs_at_once_share_a_folder(session: Session, server: RowsServer) -> None:
    asked_meanwhile: list[int] = []

    def tell(progress: Progress) -> None:
        if not asked_meanwhile:
            ask(session, rows(200), replay="answers/")
            asked_meanwhile.append(asked(server))

    run_job(prepare_job(session, rows(200), "Rate: {text}", replay="answers/"), tell)
    assert asked(server) <= 200 + WIDTH


def test_equal_rows_have_answers_of_their_own_in_a_folder(
    session: Session, server: RowsServer
) -> None:
    table = [{"text": "BAD"}] * 3
    ask(session, table, schema=RATING, replay="answers/", each=True)
    assert asked(server) == 6
    only = ask(session, table, schema=RATING, replay="only answers/", each=True)
    assert set(column(only, "error")) == {None}


def test_a_folder_that_cannot_be_written_loses_no_answer(
    server: RowsServer, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "answers").write_text("a file")
    with pytest.warns(
        UserWarning, match="not stored in answers: expected a folder"
    ) as w:
        mapped = ask(session, TABLE, schema=RATING, replay="answers")
    assert len([one for one in w if "the answers were" in str(one.message)]) == 1
    assert set(column(mapped, "error")) == {None}


def test_the_setting_uses_a_folder_for_short_runs_alone(
    session: Session, server: RowsServer, tmp_path: Path
) -> None:
    session.configure(replay="answers/")
    ask(session, rows(3))
    assert (tmp_path / "answers").exists()
    assert not paths.ledger_file().exists()
    ask(session, [{"text": "the same"}] * 1001)
    assert paths.ledger_file().exists()


def test_a_folder_keeps_answers_also_if_none_are_to_be_kept(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="--no-keep and --replay"):
        ask(session, rows(3), replay="answers/", keep=False)


# Killed


def work(url: str, count: int, done: Any) -> None:
    """Run a job in a process of its own; `done` is how far it is."""
    session = session_at(url)

    def tell(progress: Progress) -> None:
        done.value = progress.done - progress.known

    options = RunOptions(width=WIDTH)
    run_job(prepare_job(session, rows(count), "Rate: {text}", options=options), tell)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("count", "kills"),
    [
        pytest.param(1500, 8, id="8-of-1500"),
        pytest.param(10_000, 100, id="100-of-10000", marks=pytest.mark.nightly),
    ],
)
def test_kill_9_at_any_moment_loses_no_row_and_asks_few_twice(
    session: Session, server: RowsServer, count: int, kills: int
) -> None:
    moments = random.Random(2026 + kills)
    for _ in range(kills):
        done = _fork.Value("i", 0)
        process = _fork.Process(target=work, args=(server.url, count, done))
        process.start()
        until = moments.randint(0, count // kills)
        while done.value < until and process.is_alive():
            time.sleep(0.001)
        time.sleep(moments.random() * 0.01)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        process.close()
    mapped = ask(session, rows(count))
    assert column(mapped, "answer") == [
        f"Answer to: Rate: review {n}" for n in range(count)
    ]
    assert mapped.progress.requests < count  # the others had come before
    # In flight, and one batch that had come and was not written.
    assert asked(server) <= count + kills * 2 * WIDTH
    twice = Counter(server.stats()["questions"].values())
    assert sum(twice.values()) == count


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_processes_at_once_share_the_ledger(
    session: Session, server: RowsServer
) -> None:
    server.configure(delay=0.005)
    done = [_fork.Value("i", 0) for _ in range(2)]
    processes = [_fork.Process(target=work, args=(server.url, 900, d)) for d in done]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
        process.close()
    before = asked(server)
    # Each may ask what the other has in flight, and has answered but not written yet.
    assert before <= 900 + 2 * (WIDTH + WIDTH)
    assert min(d.value for d in done) > 100  # both have asked
    mapped = ask(session, rows(900))
    assert mapped.progress.known == 900
    assert asked(server) == before


# Everything at once


@pytest.mark.parametrize("replay", ["off", "answers/"])
def test_resume_dedupe_schema_usage_stop_errors_replay_and_executor_go_together(
    session: Session, server: RowsServer, replay: str
) -> None:
    server.configure(delay=0.02)
    odd = ["BAD", "WORSE", "FAIL", "CUT", "ONCE", "", "BAD", "FAIL"]
    table = [*({"text": text} for text in odd), *rows(60), *rows(30)]
    interrupted: list[int] = []

    def tell(progress: Progress) -> None:
        if progress.done >= 30 and not interrupted:
            interrupted.append(progress.done)
            os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(4) as executor:
        options = RunOptions(executor=executor, name="reviews")
        job = prepare_job(
            session, table, "{text}", schema=RATING, replay=replay, options=options
        )
        stopped = run_job(job, tell)
        assert stopped.progress.state == "stopped"
        kept = set(map(repr, filter(lambda row: row["error"] is None, stopped.table)))  # type: ignore[call-overload]
        before = stopped.usage
        done = run_job(job)
    assert done.progress.state == "done"
    assert done.progress.done == len(table)
    assert done.progress.known >= 30  # equal rows, and those of the first run
    assert kept <= set(map(repr, done.table))  # type: ignore[call-overload]
    check = Checker(RATING)
    for row, found in zip(table, done.table, strict=True):  # type: ignore[call-overload]
        value = {"rating": found["rating"], "why": found["why"]}
        wrong = row["text"] in ("WORSE", "FAIL", "CUT", "")
        assert bool(found["error"]) == wrong, found
        assert wrong or not check.problems(value)
        assert found["text"] == row["text"]
    usage = done.usage
    assert asked(server) <= before.requests + usage.requests + 4  # in flight
    questions = server.stats()["questions"]
    twice = [text for text in questions if questions[text] > 1 and text[:6] == "review"]
    assert len(twice) <= 4
    if replay != "off":
        only = run_job(
            prepare_job(
                session, table, "{text}", schema=RATING, replay=f"only {replay}"
            )
        )
        assert [
            (one["rating"], one["why"])
            for one in only.table  # type: ignore[attr-defined]
        ] == [(one["rating"], one["why"]) for one in done.table]  # type: ignore[attr-defined]
