"""The ledger's file: what is in it lasts, whatever becomes of it and of who asks."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store import ledger as ledger_module
from h2o_magic.tables.store.history import History
from h2o_magic.tables.store.ledger import LAYOUT, Ledger
from h2o_magic.tables.store.ledger_answers import NOTED, LedgerAnswers, RunFacts
from tests.unprivileged import give_up_privileges

FACTS = RunFacts("reviews", "Rate: {text}", "mock")


def key(name: object) -> bytes:
    return sha256(str(name).encode()).digest()


class Bench:
    """Ledgers of one file, and what they warned of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warned: list[str] = []
        self._open: list[Ledger] = []

    def ledger(self) -> Ledger:
        self._open.append(Ledger(self.path, self.warned.append))
        return self._open[-1]

    def run(self, facts: RunFacts = FACTS, **options: bool) -> LedgerAnswers:
        return LedgerAnswers(self.ledger(), facts, **options)

    def close(self) -> None:
        for ledger in self._open:
            ledger.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "home" / "tables.sqlite3")
    yield bench
    bench.close()


def put(run: LedgerAnswers, *names: object, text: str = "yes") -> None:
    for name in names:
        run.put(key(name), "?", RowAnswer(f"{text} {name}"))
    run.flush(Progress())


def found(run: LedgerAnswers, *names: object) -> list[str | None]:
    answers = run.answers([key(name) for name in names])
    texts = {key: answer.text for key, answer in answers.items()}
    return [texts.get(key(name)) for name in names]


def test_an_answer_is_found_by_a_later_run_as_it_came(bench: Bench) -> None:
    whole = RowAnswer("ä\0 text", 3, None, 0.5, None, "model", "first")
    first = bench.run()
    first.put(key(1), "?", whole)
    first.flush(Progress())
    first.close()
    later = bench.run()
    assert later.known({key(1): "?", key(2): "?"}) == {key(1)}
    assert later.answers([key(1), key(2)]) == {key(1): whole}


def test_a_closed_store_opens_itself_again(bench: Bench) -> None:
    run = bench.run()
    put(run, 1)
    run.close()
    assert found(run, 1) == ["yes 1"]


def test_errors_are_those_of_the_run_and_answer_nothing(bench: Bench) -> None:
    first = bench.run()
    first.fail(key(1), "refused")
    first.flush(Progress())
    later = bench.run()
    assert first.errors([key(1), key(2)]) == {key(1): "refused"}
    assert later.errors([key(1)]) == {}
    assert later.known({key(1): "?"}) == set()


def test_half_a_character_is_kept_as_a_question_mark(bench: Bench) -> None:
    run = bench.run()
    run.put(key(1), "?", RowAnswer("half \ud800"))
    run.fail(key(2), "half \ud800")
    run.flush(Progress())
    assert found(run, 1) == ["half ?"]
    assert run.errors([key(2)]) == {key(2): "half ?"}
    assert not bench.warned


def test_the_file_and_its_helpers_are_the_users_alone(bench: Bench) -> None:
    before = os.umask(0)
    try:
        put(bench.run(), 1)
    finally:
        os.umask(before)
    files = list(bench.path.parent.iterdir())
    assert {file.name for file in files} >= {"tables.sqlite3", "tables.sqlite3-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(bench.path.parent.stat().st_mode) == 0o700


# What counts


def test_with_forget_nothing_that_was_known_counts_until_it_is_replaced(
    bench: Bench,
) -> None:
    put(bench.run(), 1, 2)
    again = bench.run(forget=True)
    assert found(again, 1, 2) == [None, None]
    put(again, 1, text="new")
    assert found(again, 1, 2) == ["new 1", None]


def test_what_a_run_forgot_counts_for_no_later_run_of_the_same(bench: Bench) -> None:
    put(bench.run(), 1, 2)
    in_vain = bench.run(forget=True)
    in_vain.flush(Progress())
    assert found(bench.run(), 1, 2) == ["yes 1", "yes 2"]  # it had no answer
    stopped = bench.run(forget=True)
    put(stopped, 1, text="new")
    assert found(bench.run(), 1, 2) == ["new 1", None]
    assert found(stopped.again({key(1)}), 1, 2) == [None, None]
    assert found(bench.run(RunFacts("other")), 1, 2) == ["new 1", "yes 2"]
    History(bench.path).forget(stopped.run)
    assert found(bench.run(), 1, 2) == [None, "yes 2"]


def test_another_run_may_leave_out_some_answers(bench: Bench) -> None:
    first = bench.run()
    put(first, 1, 2)
    again = first.again({key(2)})
    assert isinstance(again, LedgerAnswers)
    assert found(again, 1, 2) == ["yes 1", None]
    put(again, 2, text="new")
    assert found(again, 1, 2) == ["yes 1", "new 2"]


@pytest.mark.parametrize("forget", [False, True])
def test_two_runs_at_once_end_with_the_same_answer(bench: Bench, forget: bool) -> None:
    put(bench.run(), 1, text="old")
    earlier, later = bench.run(forget=forget), bench.run(forget=forget)
    put(later, 1, 2, text="later")
    put(earlier, 1, 2, text="earlier")
    assert found(earlier, 1, 2) == found(later, 1, 2)
    assert found(later, 2) == ["later 2"]


def test_answers_of_other_weights_of_the_same_name_do_not_count(bench: Bench) -> None:
    put(bench.run(RunFacts(model="m", weights="aa")), 1, 2)
    other = bench.run(RunFacts(model="m", weights="bb"))
    assert found(other, 1, 2) == [None, None]
    put(other, 1, text="new")
    assert found(other, 1) == ["new 1"]
    assert found(bench.run(RunFacts(model="m", weights="bb")), 1, 2) == ["new 1", None]


# Several at once


def test_threads_share_a_store(bench: Bench) -> None:
    run = bench.run()
    put(run, *range(50))
    read: list[list[str | None]] = []
    threads = [
        threading.Thread(target=lambda: read.append(found(run, *range(50))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [[f"yes {n}" for n in range(50)]] * 4


def test_runs_that_write_at_once_lose_nothing(bench: Bench) -> None:
    def write(part: int) -> None:
        run = bench.run()
        for number in range(100):
            put(run, f"{part}-{number}")

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [f"{part}-{number}" for part in range(4) for number in range(100)]
    assert None not in found(bench.run(), *names)
    assert not bench.warned


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_reads_and_harms_nothing(bench: Bench) -> None:
    run = bench.run()
    put(run, 1)
    child = os.fork()
    if not child:
        ok = False
        try:
            ok = found(run, 1) == ["yes 1"]
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    put(run, 2)
    assert found(bench.run(), 1, 2) == ["yes 1", "yes 2"]


# Locked by another process


@pytest.fixture
def locked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Cursor]:
    """The ledger's file while another program writes to it; it has one answer."""
    monkeypatch.setattr(ledger_module, "_PATIENCE", 0.01)
    monkeypatch.setattr(ledger_module, "BUSY_TIMEOUT", 0.01)
    put(bench.run(), 0)
    connection = sqlite3.connect(bench.path, isolation_level=None)
    yield connection.execute("BEGIN IMMEDIATE")
    connection.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def ended() -> Progress:
    progress = Progress(3, done=3)
    progress.end("done")
    return progress


@pytest.mark.parametrize("begins", ["before", "locked"])
@pytest.mark.parametrize("until", ["later", "its end"])
@pytest.mark.parametrize("forget", [False, True])
def test_answers_of_a_run_wait_until_a_locked_file_is_free(
    bench: Bench, locked: sqlite3.Cursor, begins: str, until: str, forget: bool
) -> None:
    clock = Clock()

    def begin() -> LedgerAnswers:
        return LedgerAnswers(bench.ledger(), FACTS, forget=forget, clock=clock)

    if begins == "before":
        locked.execute("ROLLBACK")
        run = begin()
        locked.execute("BEGIN IMMEDIATE")
    else:
        run = begin()
    put(run, 1)
    run.fail(key(3), "no")
    clock.now += NOTED
    put(run, 2)
    names = {key(name): "?" for name in (0, 1, 2, 3)}
    assert run.known(names) == {key(1), key(2)} | (set() if forget else {key(0)})
    assert found(bench.run(), 1, 2) == [None, None]
    locked.execute("ROLLBACK")
    clock.now += NOTED
    run.flush(Progress() if until == "later" else ended())
    assert found(run, 0, 1, 2) == [None if forget else "yes 0", "yes 1", "yes 2"]
    assert run.errors([key(3)]) == {key(3): "no"}
    old = None if forget else "yes 0"
    assert found(bench.run(), 0, 1, 2) == [old, "yes 1", "yes 2"]
    assert run.run < ledger_module.OWN_RUNS
    assert not bench.warned


def test_a_file_that_is_locked_to_the_end_is_told_once(
    bench: Bench, locked: sqlite3.Cursor
) -> None:
    run = bench.run()
    for name in (1, 2):
        put(run, name)
    assert not bench.warned
    run.flush(ended())
    run.flush(ended())
    assert found(run, 0, 1, 2) == ["yes 0", "yes 1", "yes 2"]
    (line,) = bench.warned
    assert "another program has locked the file" in line


# Trouble


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def damaged(path: Path) -> None:
    path.write_bytes(b"no database at all, and long enough to be looked at" * 100)


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE others (id)")
    connection.close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (newer, "written by a newer version of this package"),
        (damaged, "the file is damaged"),
        (foreign, "another program's database"),
        (folder, "the file cannot be opened"),
    ],
    ids=["newer", "damaged", "foreign", "folder"],
)
def test_a_file_that_cannot_be_used_is_told_once_and_stays_as_it_is(
    bench: Bench, spoil: Callable[[Path], None], said: str
) -> None:
    first = bench.run()
    put(first, 1)
    first.close()
    spoil(bench.path)
    before = bench.path.read_bytes() if bench.path.is_file() else b""
    run = bench.run()
    put(run, 1, 2)
    run.fail(key(3), "no")
    run.flush(Progress())
    run.close()
    assert found(run, 1, 2, 3) == ["yes 1", "yes 2", None]
    assert run.errors([key(3)]) == {key(3): "no"}
    (line,) = bench.warned
    assert said in line
    assert "kept until the kernel ends" in line
    assert "run this again" in line or "newer" not in said
    assert "\n" not in line
    assert (bench.path.read_bytes() if bench.path.is_file() else b"") == before


def test_without_a_home_the_answers_are_kept_for_the_kernel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.path = Path(os.devnull) / "~" / "tables.sqlite3"
    run = bench.run()
    put(run, 1)
    assert found(run, 1) == ["yes 1"]
    assert len(bench.warned) == 1


class Full(sqlite3.Connection):
    """A connection whose disk is full when `full` is set, for the next write."""

    full = False

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:  # type: ignore[override]
        if Full.full and sql == "COMMIT":
            Full.full = False
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *parameters)  # type: ignore[arg-type]


def test_a_disk_that_gets_full_loses_no_answer_of_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: connect(*a, factory=Full, **k)
    )
    put(bench.run(), 1)
    run = bench.run()
    put(run, 2)
    Full.full = True
    put(run, 3)
    put(run, 4)
    assert not Full.full
    assert found(run, 1, 2, 3, 4) == ["yes 1", "yes 2", "yes 3", "yes 4"]
    (line,) = bench.warned
    assert "the disk is full" in line


def test_a_file_that_is_moved_during_a_run_loses_no_answer_of_it(bench: Bench) -> None:
    run = bench.run()
    put(run, 1)
    bench.path.rename(bench.path.with_name("moved"))
    put(run, 2)
    run.close()
    assert found(run, 1, 2) == ["yes 1", "yes 2"]
    assert "moved or deleted" in bench.warned[0]
    assert not bench.path.exists()


@pytest.mark.skipif(os.name == "nt", reason="modes of files")
def test_of_a_file_that_cannot_be_written_the_answers_count(bench: Bench) -> None:
    first = bench.run()
    put(first, 1)
    first.close()
    bench.path.chmod(0o400)
    bench.path.parent.chmod(0o500)
    read: list[str | None] = []

    def unprivileged() -> None:
        give_up_privileges()
        run = bench.run()
        put(run, 2)
        read.extend(found(run, 1, 2))

    thread = threading.Thread(target=unprivileged)
    thread.start()
    thread.join()
    bench.path.parent.chmod(0o700)
    assert read == ["yes 1", "yes 2"]
    (line,) = bench.warned
    assert "make the file and its folder writable" in line


def test_where_nothing_is_to_be_kept_there_is_no_file(tmp_path: Path) -> None:
    run = LedgerAnswers(Ledger(None, pytest.fail), FACTS)
    put(run, 1)
    run.close()
    assert found(run, 1) == ["yes 1"]
    assert not list(tmp_path.iterdir())


# History


def test_the_last_runs_are_listed_with_their_counts(bench: Bench) -> None:
    assert History(bench.path).runs() == []
    assert History(bench.path).forget(None) == 0
    assert not bench.path.exists()
    run = bench.run()
    put(run, 1)
    progress = Progress(10, done=4, known=1, errors=2, prompt_tokens=7)
    progress.end("failed", "wrong key")
    run.flush(progress)
    times = iter([0.0, *[NOTED] * 9])
    second = LedgerAnswers(bench.ledger(), FACTS, clock=lambda: next(times))
    second.flush(Progress(10, done=1, requests=1))
    bench.run()  # it has only looked for answers
    newest, first = History(bench.path).runs()
    assert (first.name, first.prompt, first.model) == ("reviews", FACTS.prompt, "mock")
    assert (first.rows, first.done, first.known, first.errors) == (10, 4, 1, 2)
    assert (first.tokens, first.ending(first.seen)) == (7, "failed: wrong key")
    assert newest.ending(newest.seen) == "running"
    assert newest.ending(newest.seen + 3600) == "ended with its kernel"


def test_what_is_forgotten_is_no_more_in_the_file(bench: Bench) -> None:
    first, second = bench.run(), bench.run()
    put(first, 1, text="SECRET-ONE")
    put(second, 2, text="SECRET-TWO")
    assert History(bench.path).forget(first.run) == 1
    assert found(second, 1, 2) == [None, "SECRET-TWO 2"]
    bench.close()
    content = b"".join(file.read_bytes() for file in bench.path.parent.iterdir())
    assert b"SECRET-ONE" not in content
    assert b"SECRET-TWO" in content
    assert History(bench.path).forget(None) == 1
    assert History(bench.path).runs() == []


def test_a_run_that_was_killed_is_listed_with_the_answers_it_got(bench: Bench) -> None:
    put(bench.run(), 1, 2)  # and noted nothing since it began
    (killed,) = History(bench.path).runs()
    assert (killed.done, killed.state) == (2, "running")
    assert History(bench.path).answers() == (2, 1)


def test_a_run_that_is_forgotten_goes_on_and_is_listed_again(bench: Bench) -> None:
    run = bench.run()
    put(run, 1, 2)
    assert History(bench.path).forget(None) == 2
    put(run, 3)
    run.flush(ended())
    assert found(bench.run(), 1, 2, 3) == [None, None, "yes 3"]
    assert [past.id for past in History(bench.path).runs()] == [run.run]
    assert History(bench.path).forget(run.run) == 1
    assert not bench.warned


def test_of_old_runs_only_the_answers_stay(bench: Bench) -> None:
    ledger = bench.ledger()
    first = LedgerAnswers(ledger, FACTS)
    put(first, 1)
    first.fail(key(2), "no")
    first.flush(Progress())
    empty = LedgerAnswers(ledger, FACTS)

    def runs(count: int) -> list[int]:
        for _ in range(count):
            LedgerAnswers(ledger, FACTS)
        return [run for (run,) in ledger.read("SELECT id FROM runs ORDER BY id")]

    runs(98)
    assert first.errors([key(2)]) == {key(2): "no"}
    runs(1)
    assert first.errors([key(2)]) == {}
    assert runs(900)[:2] == [first.run, empty.run]
    assert runs(1)[:2] == [first.run, empty.run + 1]
    assert found(first, 1) == ["yes 1"]


def test_a_file_of_this_version_is_marked_as_ours(bench: Bench) -> None:
    bench.run()
    connection = sqlite3.connect(bench.path)
    found = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    connection.close()
    assert found == [LAYOUT.application_id, len(LAYOUT.steps)]
