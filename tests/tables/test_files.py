"""Files to files: nothing of what they hold is changed, lost, or held in memory."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.cells import Unreadable
from h2o_magic.tables.rows import Kinds, Row, Target, rows_of

KINDS: Kinds = {
    "answer": "text",
    "stars": "integer",
    "share": "number",
    "good": "boolean",
    "tags": "object",
    "error": "text",
}
ANSWERS: list[Row] = [
    ('say "hi", or\nnot', 5, 0.5, True, ["a", {"b": "ä"}], None),
    (None, None, None, None, None, "not asked"),
]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of the tests' own, where files of runs are remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("H2O_MAGIC_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def answers() -> Iterator[Row]:
    yield from ANSWERS
    yield from repeat(ANSWERS[1])


def read(path: Path, *columns: str, first: int | None = None) -> list[Row]:
    rows = rows_of(path, first, Target(overwrite=True))
    return [row for batch in rows.batches(columns) for row in batch]


def written(
    path: Path,
    kinds: Kinds = KINDS,
    to: Path | None = None,
    first: int | None = None,
    **options: Any,
) -> Path:
    """Return the file that a file's rows with answers went to."""
    few = (row[: len(kinds)] for row in answers())
    found = rows_of(path, first, Target(to, **options)).with_columns(kinds, few)
    assert isinstance(found, Path)
    assert [each.name for each in path.parent.iterdir() if ".part" in each.name] == []
    return found


def made(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# CSV


def parsed(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_a_csv_file_gets_columns_behind_its_own(tmp_path: Path) -> None:
    path = made(tmp_path / "r.csv", 'id,text\n1,"a ""quoted"", text"\n02,plain\n')
    assert read(path, "text", "id") == [('a "quoted", text', "1"), ("plain", "02")]
    found = written(path)
    assert found == tmp_path / "r-answers.csv"
    lines = found.read_text().split("\n", 2)
    assert lines[0] == "id,text,answer,stars,share,good,tags,error"
    assert lines[1] == '1,"a ""quoted"", text","say ""hi"", or'
    assert parsed(found)[1:] == [
        [
            *("1", 'a "quoted", text', ANSWERS[0][0], "5", "0.5", "True"),
            *('["a", {"b": "ä"}]', ""),
        ],
        ["02", "plain", "", "", "", "", "", "not asked"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1;x,y\n", 'a;b;answer\n1;x,y;"say ""hi"", or\nnot"\n'),
        ("a\tb\r\n1\tx\r\n", 'a\tb\tanswer\r\n1\tx\t"say ""hi"", or\nnot"\r\n'),
        ('"a","b"\n"1","x"\n', '"a","b",answer\n"1","x","say ""hi"", or\nnot"\n'),
        ("\ufeffa,b\n1,x", '\ufeffa,b,answer\n1,x,"say ""hi"", or\nnot"\n'),
        ("a,b\n\n1,x\n\n", 'a,b,answer\n1,x,"say ""hi"", or\nnot"\n'),
        ("a,b\n", "a,b,answer\n"),
        ("a,a\n1,2\n", 'a,a,answer\n1,2,"say ""hi"", or\nnot"\n'),
    ],
    ids=["semicolons", "tabs", "all quoted", "mark", "blank lines", "no rows", "twice"],
)
def test_a_csv_file_keeps_its_dialect(tmp_path: Path, text: str, expected: str) -> None:
    found = written(made(tmp_path / "r.csv", text), {"answer": "text"})
    assert found.read_bytes().decode() == expected


def test_a_tsv_file_has_tabs_whatever_else_is_in_its_header(tmp_path: Path) -> None:
    path = made(tmp_path / "r.tsv", "a, b, c\tn\nx\t1\n")
    assert read(path, "a, b, c") == [("x",)]
    assert parsed(written(path), "\t")[1][:2] == ["x", "1"]


def test_fields_may_be_longer_than_csv_allows_by_itself(tmp_path: Path) -> None:
    long = "x" * 300_000
    path = made(tmp_path / "r.csv", f"id,text\n1,{long}\n")
    assert read(path, "text") == [(long,)]
    assert parsed(written(path))[1][1] == long


DAMAGED_CSV = (
    b'id,text,n\n1,one,1\n2,two\n3,three, and more,3\n4,caf\xe9,4\n"5\n5",fine,5\n'
    b'6,"never closed,6\n7,x,7\n'
)


def test_damaged_rows_of_csv_are_errors_with_their_lines_and_lose_nothing(
    tmp_path: Path,
) -> None:
    # The first 64 kB must be UTF-8: a byte of another encoding stands behind them.
    start = b"id,text,n\n" + b"0,fill,0\n" * 8000
    path = made(tmp_path / "r.csv", start + DAMAGED_CSV.partition(b"\n")[2])
    rows = read(path, "id", "text")[8000:]
    assert rows[0] == ("1", "one")
    assert rows[4] == ("5\n5", "fine")
    problems = [row[0].reason for row in rows if isinstance(row[0], Unreadable)]
    assert problems == [
        "line 8,003 cannot be read: expected 3 fields, got 2",
        "line 8,004 cannot be read: expected 3 fields, got 4",
        "line 8,005 cannot be read: it is not UTF-8",
        "line 8,008 cannot be read: expected 3 fields, got 2",
    ]
    found = written(path, {"answer": "text"})
    with found.open(newline="", errors="surrogateescape") as file:
        table = list(csv.reader(file))[8001:]
    assert {len(row) for row in table} == {4}
    assert [row[:3] for row in table] == [
        ["1", "one", "1"],
        ["2", "two", ""],
        ["3", "three", " and more,3"],
        ["4", "caf\udce9", "4"],
        ["5\n5", "fine", "5"],
        ["6", "never closed,6\n7,x,7\n", ""],
    ]
    assert b"caf\xe9" in found.read_bytes()


@pytest.mark.parametrize("end", ["", "\n", "\n3,three\n", ',"'])
def test_a_quote_that_is_never_closed_is_an_error(tmp_path: Path, end: str) -> None:
    path = made(tmp_path / "r.csv", f'id,text\n1,5" screen\n2,"open{end}')
    assert read(path, "text") == (
        [('5" screen',), (Unreadable("line 3 cannot be read: a quote is not closed"),)]
        if end != ',"'
        else [('5" screen',), ("open,",)]
    )
    found = parsed(written(path))
    assert [row[:2] for row in found[1:]] == [
        ["1", '5" screen'],
        ["2", f"open{end}".rstrip('"')],
    ]
    assert found[2][-1] == "not asked"


def test_damaged_rows_keep_all_cells_of_columns_with_the_same_name(
    tmp_path: Path,
) -> None:
    path = made(tmp_path / "r.csv", "a,b,a\n1,2,3\n4,5\n6,7,8,9\n")
    found = written(path, {"answer": "text"})
    assert [row[:3] for row in parsed(found)[1:]] == [
        ["1", "2", "3"],
        ["4", "5", ""],
        ["6", "7", "8,9"],
    ]


cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(cells, min_size=n, max_size=n))
    ),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from([",", ";", "\t"]),
)
def test_every_cell_of_a_csv_file_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    quoting: Any,
    delimiter: str,
) -> None:
    width = len(rows[0]) if rows else 1
    file = io.StringIO()
    writer = csv.writer(file, quoting=quoting, delimiter=delimiter)
    names = [f"n{number}" for number in range(width)]
    writer.writerow(names)
    writer.writerows(rows)
    path = made(tmp_path_factory.mktemp("csv") / "r.csv", file.getvalue())
    if width == 1:
        delimiter = ","  # nothing says that it is another one
    assert read(path, *names) == [tuple(row) for row in rows]
    found = parsed(written(path), delimiter)
    assert [row[:width] for row in found] == [names, *rows]
    assert [row[width] for row in found[1:2]] == [ANSWERS[0][0]][: len(rows)]


# JSON Lines


def test_a_line_of_json_stays_as_it_is_with_fields_behind(tmp_path: Path) -> None:
    lines = ['{"id": 1.0e5,"text":"\\u00e4 \\"q\\""}', "{ }", '"bare"', "  ", "[1, 2]"]
    path = made(tmp_path / "r.jsonl", "\n".join(lines))
    assert read(path, "text", "value") == [
        ('ä "q"', None),
        (None, None),
        (None, "bare"),
        (None, [1, 2]),
    ]
    found = written(path).read_text().splitlines()
    assert found[0].startswith(lines[0][:-1] + ', "answer": "say ')
    assert json.loads(found[0])["tags"] == ["a", {"b": "ä"}]
    assert found[1].startswith('{"answer": null')
    assert found[2].startswith('{"value": "bare", "answer": null')
    assert found[3].startswith('{"value": [1, 2], "answer": null')
    assert len(found) == 4


def test_a_damaged_line_is_an_error_and_its_text_stays(tmp_path: Path) -> None:
    path = made(tmp_path / "r.ndjson", '{"text": "a"}\n{"text": "b\n\n{"text": "c"}\n')
    rows = read(path, "text")
    assert rows[0] == ("a",)
    assert isinstance(rows[1][0], Unreadable)
    assert rows[1][0].reason.startswith("line 2 cannot be read: not valid JSON: ")
    assert rows[2] == ("c",)
    found = written(path).read_text().splitlines()
    assert json.loads(found[1])["line"] == '{"text": "b'


def test_fields_that_only_later_lines_have_are_not_written_over(tmp_path: Path) -> None:
    long = json.dumps({"text": "x" * 1000})
    last = '{"text": "y", "answer": "mine"}'
    path = made(tmp_path / "r.jsonl", "\n".join([*[long] * 17_000, last]))
    rows = rows_of(path)
    assert rows.names == ("text",)
    assert rows.count is None
    assert sum(map(len, rows.batches(["text"]))) == 17_001
    found = written(path, {"answer": "text"}).read_text().splitlines()
    assert json.loads(found[-1]) == {**json.loads(last), "answer_answer": None}


def test_the_rows_of_a_short_file_are_counted(tmp_path: Path) -> None:
    path = made(tmp_path / "r.jsonl", '{"a": 1}\n' * 3)
    assert rows_of(path).count == 3
    assert rows_of(path, 2).count == 2
    assert read(path, "a", first=2) == [(1,), (1,)]
    assert len(written(path, first=2).read_text().splitlines()) == 2
    assert rows_of(made(tmp_path / "r.csv", 'a\n"x\ny"\nz\n')).count == 2


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=6,
)  # fmt: skip


@given(
    st.lists(values, min_size=1),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_every_value_of_json_lines_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    ascii_only: bool,
    indent: int | None,
) -> None:
    separators = (",", ":") if indent else None
    lines = [
        json.dumps(row, ensure_ascii=ascii_only, separators=separators) for row in rows
    ]
    path = made(tmp_path_factory.mktemp("json") / "r.jsonl", "\n".join(lines))
    found = [json.loads(line) for line in written(path).read_text().split("\n")[:-1]]
    for row, new in zip(rows, found, strict=True):
        own = row if isinstance(row, dict) else {"value": row}
        assert {name: new[name] for name in own} == own
        assert len(new) == len(own) + len(KINDS)


# Parquet


def parquet(path: Path, **columns: object) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_parquet_file_gets_typed_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "r.parquet", text=["a", None], n=[1, 2])
    assert rows_of(path).count == 2
    assert read(path, "n", "text") == [(1, "a"), (2, None)]
    table = pyarrow.parquet.read_table(written(path))
    assert table.schema.names == ["text", "n", *KINDS]
    assert [str(table.schema.field(name).type) for name in KINDS] == [
        *("string", "int64", "double", "bool", "string", "string")
    ]
    assert table.column("tags").to_pylist() == ['["a", {"b": "ä"}]', None]
    assert table.column("stars").to_pylist() == [5, None]


def test_what_a_parquet_file_says_of_its_columns_stays(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {
            "text": pandas.Categorical(["a", "b"]),
            "when": pandas.to_datetime(["2024-01-01", None]),
            "cells": [{"x": [1]}, None],
        },
        index=pandas.Index([7, 3], name="id"),
    )
    path = tmp_path / "r.parquet"
    frame.to_parquet(path)
    found = written(path)
    pandas.testing.assert_frame_equal(
        pandas.read_parquet(found)[list(frame.columns)], pandas.read_parquet(path)
    )


def test_many_rows_and_groups_stay_in_order(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    numbers = list(range(5500))
    table = pyarrow.table({"n": numbers, "text": list(map(str, numbers))})
    pyarrow.parquet.write_table(table, path, row_group_size=1234)
    rows = rows_of(path, 5001)
    assert [row for batch in rows.batches(["n"]) for row in batch] == [
        (number,) for number in numbers[:5001]
    ]
    found = rows.with_columns({"twice": "integer"}, ((2 * n,) for n in numbers))
    new = pyarrow.parquet.read_table(found)
    assert new.column("twice").to_pylist() == [2 * n for n in numbers[:5001]]
    assert new.select(["n", "text"]).equals(table.slice(0, 5001))


def test_without_pyarrow_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "r.parquet", text=["a"])
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match="run `pip install pyarrow`"):
        rows_of(path)


# From one kind to another


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
def test_the_ending_of_the_target_says_what_is_written(
    tmp_path: Path, source: str, ending: str
) -> None:
    path = tmp_path / f"r.{source}"
    if source == "parquet":
        parquet(path, text=["a", "b"], n=[1, None])
    else:
        text = {"csv": "text,n\na,1\nb,\n", "jsonl": '{"text":"a","n":1}\n{"text":"b"}'}
        made(path, text[source])
    found = written(path, to=tmp_path / f"out.{ending}")
    assert found == tmp_path / f"out.{ending}"
    rows = _rows(found)
    assert [row["text"] for row in rows] == ["a", "b"]
    assert str(rows[0]["n"]) == "1"
    assert rows[1].get("n") in (None, "")
    assert [str(rows[0][name]) for name in ("answer", "stars", "share", "good")] == [
        *(ANSWERS[0][0], "5", "0.5", "True")
    ]
    assert rows[1]["error"] == "not asked"


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
        return found
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    names, *rows = parsed(path, "\t" if path.suffix == ".tsv" else ",")
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_columns_of_the_same_name_go_to_csv_alone(tmp_path: Path) -> None:
    path = made(tmp_path / "r.csv", "a,a\n1,2\n")
    with pytest.raises(ConfigurationError, match="columns of the same name"):
        rows_of(path, None, Target(tmp_path / "out.jsonl"))


# Targets


def test_a_file_is_replaced_if_a_run_wrote_it_whose_answers_are_kept(
    tmp_path: Path,
) -> None:
    path = made(tmp_path / "r.csv", "text\na\n")
    other = made(tmp_path / "r-answers.csv", "mine")
    with pytest.raises(ConfigurationError, match=r"exists: .* add `overwrite`"):
        rows_of(path)
    assert other.read_text() == "mine"
    assert parsed(written(path, overwrite=True))[1][0] == "a"
    assert parsed(written(path))[1][0] == "a"
    made(other, "mine")
    with pytest.raises(ConfigurationError, match="exists: "):
        rows_of(path)


def test_a_file_with_answers_that_are_nowhere_else_is_replaced_by_its_run_alone(
    tmp_path: Path,
) -> None:
    path = made(tmp_path / "r.csv", "text\na\n")
    rows = rows_of(path, None, Target(keep=False))
    for _ in range(2):
        rows.with_columns(KINDS, answers())
    for keep in (True, False):
        with pytest.raises(ConfigurationError, match="exists: "):
            rows_of(path, None, Target(keep=keep))


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    rows = rows_of(made(tmp_path / "r.csv", "text\na\n"))
    other = made(tmp_path / "r-answers.csv", "mine")
    with pytest.raises(ConfigurationError, match="exists: "):
        rows.with_columns(KINDS, answers())
    assert other.read_text() == "mine"
    assert {each.name for each in tmp_path.iterdir()} == {"r.csv", "r-answers.csv"}


def test_the_table_itself_is_never_written(tmp_path: Path) -> None:
    path = made(tmp_path / "r.csv", "text\na\n")
    (tmp_path / "link.csv").symlink_to(path)
    for to in (path, tmp_path / "link.csv", tmp_path / "." / "r.csv"):
        with pytest.raises(ConfigurationError, match="is the table itself"):
            rows_of(path, None, Target(to, overwrite=True))


@pytest.mark.parametrize(
    ("to", "problem"),
    [("out.xlsx", "ends with .csv"), ("none/out.csv", "is not a folder")],
)
def test_a_target_that_cannot_be_written_is_refused_before_anything_is_asked(
    tmp_path: Path, to: str, problem: str
) -> None:
    path = made(tmp_path / "r.csv", "text\na\n")
    with pytest.raises(ConfigurationError, match=problem):
        rows_of(path, None, Target(tmp_path / to))


def test_what_stops_halfway_leaves_no_file(tmp_path: Path) -> None:
    path = made(tmp_path / "r.csv", "text\na\nb\n")

    def stopping() -> Iterator[Row]:
        yield ANSWERS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rows_of(path).with_columns(KINDS, stopping())
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_that_is_killed_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    path = made(tmp_path / "r.jsonl", '{"text": "a"}\n' * 5000)
    code = f"""
import os, signal
from itertools import count
from h2o_magic.tables.rows import rows_of
def answers():
    for number in count():
        if number == 4000:
            os.kill(os.getpid(), signal.SIGKILL)
        yield ("x" * 100,)
rows_of({str(path)!r}).with_columns({{"answer": "text"}}, answers())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (tmp_path / "r-answers.jsonl").exists()


def test_a_file_that_changed_since_the_run_began_is_not_mixed(tmp_path: Path) -> None:
    path = made(tmp_path / "r.csv", "text\na\n")
    rows = rows_of(path)
    made(path, "text\nother\n")
    with pytest.raises(ConfigurationError, match="has changed since the run began"):
        rows.with_columns(KINDS, answers())


def test_the_errors_of_a_file_are_numbers_of_rows(tmp_path: Path) -> None:
    rows = rows_of(made(tmp_path / "r.csv", "text\na\nb\n")).take([1])
    assert rows.with_columns({"error": "text"}, iter([("bad",)])) == [
        {"row": 1, "error": "bad"}
    ]


# Files that are none


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("r.csv", b"", "is empty"),
        ("r.csv", "text\ncaf\xe9\n".encode("latin-1"), "expected UTF-8 .* byte 0xe9"),
        ("r.csv", "text\na\n".encode("utf-16"), "expected UTF-8 .* byte 0xff"),
        ("r.jsonl", "[1]".encode("utf-16-le"), "is not a text file"),
        ("r.parquet", b"no parquet", "cannot read .*r.parquet"),
    ],
    ids=["empty", "latin-1", "utf-16", "zeros", "no parquet"],
)
def test_a_file_that_cannot_be_read_is_said_before_anything_is_asked(
    tmp_path: Path, name: str, text: bytes, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        rows_of(made(tmp_path / name, text))


def test_a_path_may_begin_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made(tmp_path / "r.csv", "text\na\n")
    assert rows_of("~/r.csv").names == ("text",)
