"""Images of turns: their bytes are kept once, and as long as a turn has them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import undo


def image(name: str, data: bytes) -> Image:
    hash_ = hashlib.sha256(data).hexdigest()
    return Image(name, "image/png", 3, 2, hash_, b"small " + data, data)


FIG = image("fig", b"FIGURE" * 5000)
CHART = image("chart.png", b"CHART" * 5000)


def begin(record: Record, *images: Image, cell: str | None = None) -> Turn:
    turn = Turn("What is it?", "A bar.", cell=cell, sent="What?", images=images)
    return record.begin("main", turn)


def kept(path: Path) -> set[bytes]:
    connection = sqlite3.connect(path)
    found = [data for (data,) in connection.execute("SELECT data FROM files")]
    connection.close()
    assert len(found) == len(set(found))
    return set(found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_a_turn_is_read_with_what_was_sent_and_its_images_without_their_data(
    path: Path,
) -> None:
    record = Record(path, "key")
    turn = begin(record, FIG, CHART)
    found = record.turn("main", 1)
    assert found == turn
    assert (found.sent, found.images) == ("What?", (FIG, CHART))
    thumbnails = [image.thumbnail for image in found.images]
    assert thumbnails == [FIG.thumbnail, CHART.thumbnail]
    assert [image.data for image in found.images] == [b"", b""]
    assert record.image_data([FIG.hash, "0" * 64]) == {FIG.hash: FIG.data}
    record.close()


def test_the_same_bytes_are_kept_once_for_turns_and_notebooks(path: Path) -> None:
    record, other = Record(path, "key"), Record(path, "other")
    begin(record, FIG)
    begin(record, FIG, CHART)
    begin(other, FIG)
    assert kept(path) == {FIG.data, CHART.data}
    record.reset("main", erase=True)
    assert kept(path) == {FIG.data}
    assert other.image_data([FIG.hash]) == {FIG.hash: FIG.data}
    record.close()
    other.close()


def test_erased_images_are_in_no_file_any_more(path: Path) -> None:
    record = Record(path, "key")
    begin(record, FIG, cell="a")
    begin(record, CHART, cell="a")  # in its place
    begin(record)
    record.drop("main", 1)
    assert kept(path) == {FIG.data, CHART.data}  # it can be undone
    record.reset("main", erase=True)
    for file in path.parent.iterdir():
        content = file.read_bytes()
        for secret in (b"FIGURE", b"CHART", b"c21hbGwg"):  # the last is a thumbnail
            assert secret not in content
    record.close()


def forget(record: Record) -> None:
    record.withdraw(begin(record, FIG).id)


def forget_history(record: Record) -> None:
    begin(record, FIG)
    record.drop("main", 2)
    for _ in range(undo.KEPT):
        begin(record)


def forget_what_was_undone(record: Record) -> None:
    begin(record, FIG)
    record.undo("main")
    begin(record)


@pytest.mark.parametrize("how", [forget, forget_history, forget_what_was_undone])
def test_bytes_go_with_the_last_turn_that_had_them(
    path: Path, how: Callable[[Record], None]
) -> None:
    record = Record(path, "key")
    begin(record, CHART)
    how(record)
    assert kept(path) == {CHART.data}
    record.close()


def test_bytes_go_with_a_forgotten_notebook(path: Path) -> None:
    record = Record(path, "kernel:1")
    begin(record, FIG)
    record.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE notebooks SET used = 1")
    connection.commit()
    connection.close()
    Record(path, "key").turns("main")
    assert kept(path) == set()


def test_copies_of_a_turn_keep_its_bytes(path: Path) -> None:
    record = Record(path, "key", cell="loader")
    begin(record, FIG, cell="a")
    begin(record, cell="a")
    record.choose("main", 1, 1)
    record.fork("main", "fork", None)
    copy = Record(path, "copy", cell="loader")
    assert copy.turns("fork")[0].images == (FIG,)
    assert copy.came_from == ("copied", "key")
    for erased in ("main", "fork"):
        record.reset(erased, erase=True)
    copy.reset("main", erase=True)
    assert copy.image_data([FIG.hash]) == {FIG.hash: FIG.data}
    copy.reset("fork", erase=True)
    assert kept(path) == set()
    record.close()
    copy.close()


def test_imported_turns_bring_their_bytes(path: Path) -> None:
    record = Record(path, "key")
    record.add([Thread("main", (Turn("a?", images=(FIG,)), Turn("b?")))])
    assert record.image_data([FIG.hash]) == {FIG.hash: FIG.data}
    record.close()


@pytest.mark.parametrize(
    "damage",
    [
        *("", "[", "null", "7", '"text"', "[1]", '["a"]', '[{"hash": "0"}]'),
        '[{"hash": null}]',
        '[{"hash": "1", "name": "", "media_type": "", "width": 1, "height": 1}]',
    ],
)
def test_damage_in_the_images_costs_only_them(path: Path, damage: str) -> None:
    record = Record(path, "key")
    begin(record, FIG)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE turns SET images = ?", [damage])
    connection.commit()
    connection.close()
    turn = record.turn("main", 1)
    assert (turn.answer, turn.sent, turn.images) == ("A bar.", "What?", ())
    record.fork("main", "fork", None)
    assert record.turn("fork", 1).answer == "A bar."
    path.unlink()
    record.thread = "main"  # so the rows are copied into memory
    assert record.turn("main", 1).answer == "A bar."
    assert record.path is None
    record.close()


def test_the_record_in_memory_takes_the_bytes_along(path: Path) -> None:
    record, other = Record(path, "key"), Record(path, "other")
    begin(record, FIG)
    begin(other, CHART)
    path.unlink()
    begin(record)
    assert record.path is None
    images = [FIG.hash, CHART.hash]
    assert record.image_data(images) == {FIG.hash: FIG.data}
    record.undo("main")
    assert record.image_data(images) == {FIG.hash: FIG.data}
    record.close()
    other.close()


def test_a_question_that_is_being_answered_keeps_its_image_without_the_file(
    path: Path,
) -> None:
    record = Record(path, "key")
    record.add([Thread("main", (Turn("q", "answer " * 100),) * 200)])
    record.close()
    turn = record.begin("main", Turn("What?", status="incomplete", images=(FIG,)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    record.turns("main")
    record.update(turn.id, answer="A bar.", status="complete", facts={})
    (found,) = record.turns("main", last=1)
    assert (found.answer, found.images) == ("A bar.", (FIG,))
    assert record.path is None
    assert record.image_data([FIG.hash]) == {FIG.hash: FIG.data}
    record.close()
