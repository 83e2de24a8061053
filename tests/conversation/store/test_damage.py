"""Damage of every kind: the chat goes on, one line says so, and the file is kept."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.formats.files import as_text
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import Database, StoreError
from h2o_magic.errors import ConfigurationError
from tests.conversation.test_random_sequences import IN_MEMORY

PICTURE = Image("a.png", "image/png", 1, 2, "a" * 64, b"small", b"data" * 50)
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a store with all that one can have, of three notebooks."""
    path = tmp_path_factory.mktemp("sound") / "store.db"
    for key in ("another", "notebook", "a third"):
        record = Record(path, key, cell=f"loader of {key}")
        for n in range(12):
            images = (PICTURE,) if n % 4 == 0 else ()
            turn = Turn(f"{n} of {key}, é?", "", "incomplete", f"c{n}", images=images)
            turn = record.begin("main", turn)
            record.update(turn.id, answer="so " * 40, status="complete", facts={"n": n})
        record.fork("main", "side", 5)
        record.begin("main", Turn("again", cell="c3"))
        record.undo("main")
        record.drop("side", 1)
        record.thread = "side"
        record.settings = {"server": ("lab", "%config")}
        record.close()
    return path.read_bytes()


def everything(record: Record) -> list[Callable[[], object]]:
    """Return calls of all that a record does."""

    def exported() -> None:
        for suffix in (".md", ".json", ".jsonl", ".ipynb"):
            turns = record.with_images(record.turns("main"))
            as_text(suffix, [Thread("main", turns)])

    return [
        lambda: record.path,
        lambda: record.came_from,
        lambda: record.thread,
        lambda: record.settings,
        lambda: setattr(record, "thread", "side"),
        lambda: setattr(record, "settings", {"server": ("other", "%config")}),
        lambda: record.turns("side", last=2),
        lambda: record.with_ids("main", record.ids("main")),
        lambda: record.turn("main", 3),
        lambda: record.is_there(3),
        lambda: [*record.before("main", "c5")],
        lambda: record.counts("main"),
        lambda: record.counts_around("main", "c4"),
        lambda: record.keys_of_cell("c4"),
        record.threads,
        record.thread_names,
        lambda: record.versions("main", 4),
        lambda: record.version_counts("main"),
        lambda: record.choose("main", 4, 1),
        lambda: record.fork("main", "new", 3),
        lambda: record.undo("main"),
        lambda: record.redo("main"),
        lambda: record.drop("main", 2),
        lambda: record.drop_cell("main", "c7"),
        lambda: record.add([Thread("added", (Turn("q", "a"),))]),
        lambda: record.reset("side"),
        lambda: record.reset("added", erase=True),
        exported,
    ]


def use(path: Path, dice: random.Random) -> list[str]:
    """Use a store in any order, check that questions are kept; return what was told."""
    told: list[str] = []
    file = path.with_name("chat.ipynb")
    record = Record(path, "notebook", cell="c1", file=file, on_trouble=told.append)
    before = path.read_bytes()
    untouched = bool(record.trouble)
    calls = everything(record)
    dice.shuffle(calls)
    for call in calls[: dice.choice([2, 8, len(calls)])]:
        try:
            call()
        except (StoreError, ConfigurationError) as error:
            assert "\n" not in str(error)  # noqa: PT017 - nothing else may be raised
    turn = record.begin("main", Turn("the last?", status="incomplete"))
    record.update(turn.id, answer="yes", status="complete", facts={})
    (last,) = record.turns("main", last=1)
    assert (last.question, last.answer, last.status) == ("the last?", "yes", "complete")
    record.close()
    assert len(told) <= 1
    assert "\n" not in "".join(told)
    if untouched:
        assert path.read_bytes() == before
    return told


def some(dice: random.Random, count: int) -> bytes:
    return bytes(dice.randrange(256) for _ in range(count))


def scattered(data: bytearray, dice: random.Random, start: int, end: int) -> None:
    for _ in range(dice.choice([1, 5, 40, 400])):
        data[dice.randrange(start, end)] = dice.randrange(256)


def a_block(data: bytearray, dice: random.Random) -> None:
    at, size = dice.randrange(len(data)), dice.choice([16, 100, PAGE, 5 * PAGE])
    data[at : at + size] = some(dice, min(size, len(data) - at))


def a_page(data: bytearray, dice: random.Random) -> None:
    """One page is another: an old copy, or one of another file."""
    one, other = (dice.randrange(len(data) // PAGE) * PAGE for _ in range(2))
    data[one : one + PAGE] = data[other : other + PAGE]


def the_schema(data: bytearray, dice: random.Random) -> None:
    at = data.index(b"CREATE", dice.randrange(data.rindex(b"CREATE")))
    scattered(data, dice, at, at + 200)


def a_page_head(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(1, len(data) // PAGE) * PAGE
    data[at : at + 8] = some(dice, 8)


def the_end(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data)) :]


def all_of_it(data: bytearray, dice: random.Random) -> None:
    texts = ("{}", "hello\n" * 999, "text".encode("utf-16"), b"\0" * 9000, "")
    text = dice.choice(texts)
    data[:] = text.encode() if isinstance(text, str) else text


DAMAGES: list[Callable[[bytearray, random.Random], None]] = [
    lambda data, dice: scattered(data, dice, 0, len(data)),
    lambda data, dice: scattered(data, dice, 0, 100),
    lambda data, dice: scattered(data, dice, 0, PAGE),
    the_schema,
    a_page_head,
    a_block,
    a_page,
    the_end,
    all_of_it,
]

VALUES = [
    None,
    -1,
    2**62,
    1.5,
    float("inf"),
    b"\xff\xfe",
    b"\xed\xa0",
    "",
    "text",
    '{"a":',
    "[1]",
    "null",
    "[" * 5000,
    '{"a":' * 2000,
]
COLUMNS = {
    "turns": "thread live position sequence added removed begins asked_at status cell"
    " model system facts question answer origin images sent",
    "notebooks": "key cell file thread used settings",
    "threads": "name notebook",
    "changes": "kind everywhere undone notebook",
    "files": "data hash",
    "sqlite_sequence": "seq name",
}


def change_values(path: Path, dice: random.Random) -> None:
    """Put values into rows that no program of ours wrote."""
    connection = sqlite3.connect(path)
    if dice.random() < 0.5:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') "
            "WHERE type = 'table'"
        )
        connection.commit()
        connection.close()
        connection = sqlite3.connect(path)
    for _ in range(dice.choice([1, 2, 4])):
        table = dice.choice([*COLUMNS])
        column = dice.choice(COLUMNS[table].split())
        where = dice.choice(["1", "rowid % 2 = 0", "rowid < 4"])
        sql = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {where}"
        with suppress(sqlite3.IntegrityError):  # NOT NULL
            connection.execute(sql, [dice.choice(VALUES)])
    connection.commit()
    connection.close()


SEEDS = [range(100), pytest.param(range(100, 2000), marks=pytest.mark.nightly)]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder in memory: disks are slow, and what they hold is the same."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder) / "home"


@pytest.mark.parametrize("seeds", SEEDS)
def test_whatever_bytes_change_all_errors_are_the_stores_own(
    sound: bytes, home: Path, seeds: range
) -> None:
    path = home / "store.db"
    told = 0
    for seed in seeds:
        dice = random.Random(seed)
        data = bytearray(sound)
        dice.choice(DAMAGES)(data, dice)
        path.parent.mkdir()
        path.write_bytes(data)
        told += len(use(path, dice))
        assert path.exists()
        shutil.rmtree(path.parent)
    assert told > len(seeds) // 3


@pytest.mark.parametrize("seeds", SEEDS)
def test_whatever_values_change_all_errors_are_the_stores_own(
    sound: bytes, home: Path, seeds: range
) -> None:
    path = home / "store.db"
    for seed in seeds:
        dice = random.Random(seed)
        path.parent.mkdir()
        path.write_bytes(sound)
        change_values(path, dice)
        use(path, dice)
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("seeds", SEEDS)
def test_whatever_bytes_change_while_it_is_open_the_chat_goes_on(
    sound: bytes, home: Path, seeds: range
) -> None:
    path = home / "store.db"
    for seed in seeds:
        dice = random.Random(seed)
        path.parent.mkdir()
        path.write_bytes(sound)
        told: list[str] = []
        record = Record(path, "notebook", on_trouble=told.append)
        asked = [record.begin("main", Turn("before")).question]
        change = dice.choice([0, 1, 2, 3])
        if change == 0:
            data = bytearray(path.read_bytes())
            dice.choice(DAMAGES)(data, dice)
            with path.open("r+b") as file:
                file.write(data[: len(sound)])
        elif change == 1:
            Path(f"{path}-wal").unlink()
        elif change == 2:
            shutil.rmtree(path.parent)
        else:
            path.unlink()
            path.write_bytes(sound)
        asked += [record.begin("main", Turn(f"after {n}")).question for n in range(3)]
        found = [turn.question for turn in record.turns("main", last=4)]
        assert found[-3:] == asked[-3:]
        record.close()
        assert len(told) <= 1
        shutil.rmtree(path.parent, ignore_errors=True)


def test_an_error_that_sqlite_cannot_even_say_is_the_stores_own(
    sound: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    data = sound.replace(b"tablethreadsthreads", b"table\xffhreadsthreads")
    data = data.replace(b"CREATE TABLE threads", b"CREATE FABLE threads")
    path.write_bytes(data)
    with pytest.raises(UnicodeDecodeError):
        sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone()
    with pytest.raises(StoreError, match="the file is damaged: move the file away"):
        Database.open(path)
    (line,) = use(path, random.Random(0))
    assert f"cannot save the conversation in {path}: the file is damaged" in line
    assert path.read_bytes() == data


def test_nothing_is_erased_from_a_damaged_file(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(sound.replace(b"CREATE TABLE turns", b"CREATE TABLE \xffurns"))
    record = Record(path, "notebook", on_trouble=lambda _: None)
    for _ in range(2):
        with pytest.raises(StoreError, match="nothing was erased from"):
            record.reset(None, erase=True)
        assert record.begin("main", Turn("q")).id


def test_text_that_is_not_unicode_is_taken_over_as_far_as_it_is(
    sound: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(sound.replace(b"7 of notebook, ", b"7 of \xffotebook, "))
    told: list[str] = []
    record = Record(path, "notebook", on_trouble=told.append)
    questions = [turn.question for turn in record.turns("main")]
    assert len(questions) == 12
    assert questions[7] == "7 of \N{REPLACEMENT CHARACTER}otebook, é?"
    assert len(told) == 1
    record.close()


def test_what_a_program_does_wrong_costs_no_file(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    turn = record.begin("main", Turn("q"))
    for facts in ({"odd": object()}, {"odd": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            record.update(turn.id, answer="a", status="complete", facts=facts)
    with pytest.raises(sqlite3.IntegrityError):
        record.begin("main", Turn(None))  # type: ignore[arg-type]
    record.begin("main", Turn("q2"))
    assert (record.path, record.trouble) == (tmp_path / "store.db", "")
    record.close()
    assert record.count("main") == 2
    record.close()
