"""Every kind of table in memory: rows that are read, and the same kind given back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import dask.dataframe
import duckdb
import geopandas
import numpy
import pandas
import polars
import pyarrow
import pytest
from shapely import Point

from h2o_magic.errors import ConfigurationError
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
    ("fine", 5, 0.5, True, ["a", "b"], None),
    (None, None, None, None, None, "not asked"),
    ("bäd", 2**62, 1.0, False, [], None),
]
TEXTS = ["one", "two", "three"]


def given(table: object, kinds: Kinds = KINDS, first: int | None = None) -> Any:
    """Return a table with answers; more than it has rows, as those of a run are."""
    answers = (values[: len(kinds)] for values in _answers())
    return rows_of(table, first).with_columns(kinds, answers)


def _answers() -> Iterator[Row]:
    yield from ANSWERS
    yield from repeat(ANSWERS[1])


def read(table: object, *columns: str, first: int | None = None) -> list[Row]:
    return [row for batch in rows_of(table, first).batches(columns) for row in batch]


def frames() -> dict[str, Any]:
    columns = {"text": TEXTS, "n": [1, 2, 3]}
    table = pyarrow.table(columns)
    return {
        "pandas": pandas.DataFrame(columns),
        "polars": polars.DataFrame(columns),
        "arrow": table,
        "duckdb": duckdb.connect().from_arrow(table),
        "dicts": [{"text": text, "n": n} for n, text in enumerate(TEXTS, 1)],
        "geopandas": geopandas.GeoDataFrame(columns, geometry=[Point(0, 1)] * 3),
    }


def dicts(table: Any) -> list[dict[str, Any]]:
    """Return any table as a list of dicts, with None for what is missing."""
    if isinstance(table, pandas.DataFrame):
        table = table.astype(object).where(table.notna(), None).to_dict("records")
    elif hasattr(table, "to_arrow_table"):
        table = table.to_arrow_table().to_pylist()
    elif hasattr(table, "to_dicts"):
        table = table.to_dicts()
    elif hasattr(table, "to_pylist"):
        table = table.to_pylist()
    return [{n: v for n, v in row.items() if n != "geometry"} for row in table]


ALL = sorted(frames())


@pytest.mark.parametrize("kind", ALL)
def test_a_table_is_read_in_order_by_the_columns_asked_for(kind: str) -> None:
    table = frames()[kind]
    assert read(table, "n", "text") == [(1, "one"), (2, "two"), (3, "three")]
    assert all(type(n) is int for n, _ in read(table, "n", "text"))


@pytest.mark.parametrize("kind", ALL)
def test_a_table_gives_its_own_kind_with_the_values_that_were_answered(
    kind: str,
) -> None:
    table = frames()[kind]
    found = given(table)
    assert type(found) is type(table)
    rows = dicts(found)
    for row, text, values in zip(rows, TEXTS, ANSWERS, strict=True):
        assert row["text"] == text
        assert tuple(row[name] for name in KINDS) == values
    assert list(rows[0]) == ["text", "n", *KINDS]


@pytest.mark.parametrize("kind", ALL)
def test_the_first_rows_alone_are_read_and_given(kind: str) -> None:
    table = frames()[kind]
    assert read(table, "text", first=2) == [("one",), ("two",)]
    assert [row["text"] for row in dicts(given(table, first=2))] == ["one", "two"]
    assert len(dicts(given(table, first=7))) == 3


@pytest.mark.parametrize("kind", ALL)
def test_a_table_without_rows_has_the_columns_all_the_same(kind: str) -> None:
    rows = rows_of(frames()[kind]).take([])
    assert rows.count == 0
    found: Any = rows.with_columns(KINDS, _answers())
    assert dicts(found) == []
    if kind != "dicts":
        names = getattr(found, "column_names", None)
        assert set(KINDS) <= set(names or found.columns)


@pytest.mark.parametrize("kind", ALL)
def test_rows_are_taken_by_their_numbers(kind: str) -> None:
    rows = rows_of(frames()[kind]).take([2, 0])
    assert [row for batch in rows.batches(["text"]) for row in batch] == [
        ("three",),
        ("one",),
    ]
    found = rows.with_columns({"error": "text"}, iter([("bad",), ("worse",)]))
    assert type(found) is type(frames()[kind])
    assert [(row["text"], row["error"]) for row in dicts(found)] == [
        ("three", "bad"),
        ("one", "worse"),
    ]


@pytest.mark.parametrize("kind", ALL)
def test_the_table_that_was_given_is_not_changed(kind: str) -> None:
    table = frames()[kind]
    before = dicts(table)
    given(table)
    assert dicts(table) == before


def test_many_batches_stay_in_order() -> None:
    numbers = list(range(2501))
    for table in (
        pandas.DataFrame({"n": numbers}),
        polars.DataFrame({"n": numbers}),
        pyarrow.table({"n": numbers}),
        [{"n": n} for n in numbers],
    ):
        assert [n for (n,) in read(table, "n")] == numbers
        found = rows_of(table).with_columns(
            {"twice": "integer", "all": "object"}, ((2 * n, {"n": n}) for n in numbers)
        )
        assert [(row["twice"], row["all"]) for row in dicts(found)] == [
            (2 * n, {"n": n}) for n in numbers
        ]


def test_pandas_gets_types_that_can_be_missing() -> None:
    found = given(pandas.DataFrame({"text": TEXTS})).dtypes
    text = pandas.Series(["x"]).dtype
    assert [str(found[name]) for name in KINDS] == [
        str(text),
        "Int64",
        "float64",
        "boolean",
        "object",
        str(text),
    ]


def test_polars_and_arrow_get_types_by_the_schema_also_where_all_is_missing() -> None:
    missing: Iterator[Row] = repeat((None,) * len(KINDS))
    frame: Any = rows_of(polars.DataFrame({"x": [1]})).with_columns(KINDS, missing)
    assert [str(frame.schema[n]) for n in ("answer", "stars", "share", "good")] == [
        "String",
        "Int64",
        "Float64",
        "Boolean",
    ]
    table: Any = rows_of(pyarrow.table({"x": [1]})).with_columns(KINDS, missing)
    assert [str(table.schema.field(n).type) for n in list(KINDS)[:4]] == [
        "string",
        "int64",
        "double",
        "bool",
    ]


def test_index_and_types_of_a_pandas_frame_stay() -> None:
    frame = pandas.DataFrame(
        {
            "text": pandas.Categorical(["a", "b", "a"]),
            "when": pandas.to_datetime(["2024-01-01", None, "2024-01-03"]),
            "whole": pandas.array([1, None, 3], dtype="Int64"),
            "flag": pandas.array([True, None, False], dtype="boolean"),
            "cells": [[1], {"a": 1}, None],
            "small": numpy.array([0.1, 0.2, numpy.nan], dtype="float32"),
        },
        index=pandas.Index([7, 7, 3], name="id"),
    )
    found = given(frame)
    pandas.testing.assert_frame_equal(found[list(frame.columns)], frame)
    assert read(frame, "text") == [("a",), ("b",), ("a",)]


def test_labels_that_are_no_texts_are_columns_and_stay() -> None:
    table = pandas.DataFrame([["x", "y"]], columns=[0, 1])
    assert read(table, "1") == [("y",)]
    assert list(given(table, {"answer": "text"}).columns) == [0, 1, "answer"]
    levels = pandas.DataFrame(
        [["x", "y"]], columns=pandas.MultiIndex.from_tuples([("a", "b"), ("a", "c")])
    )
    assert read(levels, "('a', 'c')") == [("y",)]
    found = given(levels, {"answer": "text"})
    assert found.columns[-1] == ("answer", "")
    assert rows_of(found).names == ("('a', 'b')", "('a', 'c')", "answer")


def test_columns_of_categories_get_new_ones() -> None:
    table = pandas.DataFrame([["x"]], columns=pandas.CategoricalIndex(["text"]))
    assert list(given(table, {"answer": "text"}).columns) == ["text", "answer"]


def test_equal_labels_stay_where_they_are() -> None:
    table = pandas.DataFrame([["x", "y"]], columns=["text", "text"])
    found = given(table, {"answer": "text"})
    assert found.iloc[0, :2].tolist() == ["x", "y"]


def test_a_column_that_is_added_to_the_frame_meanwhile_is_none_of_the_runs() -> None:
    table = pandas.DataFrame({"text": TEXTS})
    rows = rows_of(table)
    table["answer"] = "mine"
    found: Any = rows.with_columns({"answer": "text"}, (("ours",) for _ in TEXTS))
    assert found["answer"].tolist() == ["ours"] * 3
    assert table["answer"].tolist() == ["mine"] * 3


def test_a_frame_of_geopandas_stays_one() -> None:
    table = geopandas.GeoDataFrame({"n": [1]}, geometry=[Point(0, 1)], crs=4326)
    found = given(table)
    assert found.crs == table.crs
    assert found.geometry.iloc[0] == Point(0, 1)


@pytest.mark.parametrize("kind", ["polars", "arrow", "duckdb"])
@pytest.mark.parametrize(
    "values",
    [
        ([1, "a"], {"a": 1}, None),
        ([{"a": 1}], [{"b": "x", "a": 2}], []),
        ({"a": 1}, {"a": "x"}, None),
        ({"a": {"b": [1, None]}}, None, {"c": True}),
        (1, True, 2.5),
        (2**80, None, {}),
    ],
    ids=["lists and objects", "objects in lists", "types", "deep", "numbers", "large"],
)
def test_nested_values_are_kept_whole_as_objects_or_as_json(
    kind: str, values: tuple[object, ...]
) -> None:
    rows = rows_of(frames()[kind])
    found = rows.with_columns({"made": "object"}, ((value,) for value in values))
    for row, value in zip(dicts(found), values, strict=True):
        made = row["made"]
        if isinstance(made, str):
            made = json.loads(made)
        assert _without_none(made) == _without_none(value)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: _without_none(v) for n, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def test_a_relation_of_duckdb_stays_in_its_connection_with_its_types() -> None:
    connection = duckdb.connect()
    table = connection.sql(
        "SELECT 1::HUGEINT h, uuid() u, 'a'::ENUM('a', 'b') e, '{}'::JSON j, [1, 2] l, "
        "{'x': 1} s, 1.5::DECIMAL(5, 2) d, TIMESTAMPTZ '2020-01-01' z,"
        ' \'text\' AS "a ""name"'
    )
    found = given(table)
    assert list(map(str, found.types))[: len(table.types)] == list(
        map(str, table.types)
    )
    assert found.fetchall()[0][-len(KINDS)] == "fine"
    assert connection.sql("SELECT count(*) FROM found").fetchall() == [(1,)]
    assert connection.sql("SHOW TABLES").fetchall() == []


def test_a_relation_in_any_order_is_read_once() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT range AS n FROM range(3000)")
    rows = rows_of(connection.sql("SELECT n FROM t ORDER BY random()"))
    read = [row for batch in rows.batches(["n"]) for row in batch]
    found: Any = rows.with_columns({"same": "integer"}, iter(read))
    assert all(n == same for n, same in found.fetchall())


def test_what_is_no_dict_stands_in_a_column_of_its_own() -> None:
    assert read(TEXTS, "value") == [(text,) for text in TEXTS]
    assert given(TEXTS, {"answer": "text"}, first=1) == [
        {"value": "one", "answer": "fine"}
    ]
    assert read(numpy.array([1.5, 2.5]), "value") == [(1.5,), (2.5,)]
    assert read(deque(TEXTS), "value", first=2) == [("one",), ("two",)]
    assert read(polars.Series(TEXTS), "value") == [(text,) for text in TEXTS]


@dataclass
class Review:
    text: str


def test_records_are_dicts_of_their_fields() -> None:
    assert given([Review("one")], {"answer": "text"}) == [
        {"text": "one", "answer": "fine"}
    ]


def test_rows_need_not_have_the_same_columns() -> None:
    table = [{"text": "a"}, {"n": 1}, {}]
    assert read(table, "text", "n") == [("a", None), (None, 1), (None, None)]


def test_a_generator_is_read_once() -> None:
    rows = rows_of({"text": text} for text in TEXTS)
    assert rows.count is None
    for _ in range(2):
        batches = list(rows.batches(["text"]))
        assert [text for batch in batches for (text,) in batch] == TEXTS
    assert rows.count == 3
    assert [row["text"] for row in dicts(rows.with_columns(KINDS, _answers()))] == TEXTS


def test_no_more_is_read_of_a_generator_than_asked_for() -> None:
    def endless() -> Iterator[str]:
        yield from repeat("again")

    assert read(endless(), "value", first=3) == [("again",)] * 3


def test_the_rows_of_an_iterator_are_read_as_batches_are_and_kept() -> None:
    given_out: list[int] = []

    def numbers() -> Iterator[dict[str, int]]:
        for number in range(5000):
            given_out.append(number)
            yield {"n": number, "answer": number} if number > 2000 else {"n": number}

    rows = rows_of(numbers())
    batches = rows.batches(["n"])
    seen = len(next(batches)) + len(next(batches))
    assert len(given_out) == seen <= 1001
    assert rows.names == ("n",)
    table: Any = rows.with_columns({"answer": "text"}, repeat(("yes",)))
    assert [row["n"] for row in table] == given_out == list(range(seen))
    assert sum(map(len, rows.batches(["n"]))) == rows.count == 5000
    assert rows.names == ("n", "answer")


def test_an_iterator_that_breaks_off_keeps_what_it_gave() -> None:
    def rows_and_a_stop() -> Iterator[str]:
        yield from TEXTS
        raise KeyboardInterrupt

    rows = rows_of(rows_and_a_stop())
    with pytest.raises(KeyboardInterrupt):
        list(rows.batches(["value"]))
    table: Any = rows.with_columns({"error": "text"}, repeat(("not asked",)))
    assert [row["value"] for row in table] == TEXTS


def test_the_rows_before_an_error_of_an_iterator_are_read_first() -> None:
    def rows_and_an_error() -> Iterator[str]:
        yield from TEXTS
        raise ConnectionError("the cursor is gone")

    batches = rows_of(rows_and_an_error()).batches(["value"])
    read_first: list[object] = []
    while len(read_first) < 3:
        read_first += [text for (text,) in next(batches)]
    assert read_first == TEXTS
    with pytest.raises(ConnectionError, match="the cursor is gone"):
        next(batches)


def test_a_series_is_a_frame_with_its_name_and_index() -> None:
    series = pandas.Series(TEXTS, index=[7, 8, 9], name="review")
    found = rows_of(series).with_columns(KINDS, _answers())
    assert isinstance(found, pandas.DataFrame)
    assert list(found.index) == [7, 8, 9]
    assert list(found["review"]) == TEXTS
    assert read(pandas.Series(TEXTS), "value", first=1) == [(TEXTS[0],)]
    assert read(polars.Series("review", TEXTS), "review", first=1) == [(TEXTS[0],)]
    assert isinstance(
        rows_of(polars.Series(TEXTS)).with_columns(KINDS, _answers()), polars.DataFrame
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (5, "expected a table .* got int"),
        (b"bytes", "got bytes"),
        ("reviews", "got 'reviews'"),
        ({"text": ["one"]}, r"got dict: give `pandas.DataFrame\(table\)`"),
        (polars.LazyFrame(), r"got LazyFrame: give `table.collect\(\)`"),
        (pyarrow.RecordBatch.from_pydict({}), "`pyarrow.Table.from_batches"),
        ("none.csv", "none.csv is not a file"),
    ],
)
def test_what_is_no_table_is_refused(table: object, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        rows_of(table)


def test_a_table_that_is_elsewhere_names_what_brings_it_here() -> None:
    table = dask.dataframe.from_pandas(pandas.DataFrame({"a": [1]}), npartitions=1)
    with pytest.raises(ConfigurationError, match=r"give `table.compute\(\)`"):
        rows_of(table)


def test_only_the_rows_of_a_file_go_to_one() -> None:
    with pytest.raises(ConfigurationError, match="only a file's rows go to a file"):
        rows_of([{"a": 1}], None, Target(Path("out.csv")))


def test_no_row_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="1 row or more"):
        rows_of([{"a": 1}], 0)


def test_times_are_read_as_what_they_are() -> None:
    when = datetime(2024, 1, 2)
    for table in (pandas.DataFrame({"t": [when]}), polars.DataFrame({"t": [when]})):
        assert read(table, "t") == [(when,)]


def test_a_list_is_read_without_the_packages_of_other_tables() -> None:
    code = (
        "import sys; from h2o_magic.tables.rows import rows_of; rows_of([{'a': 1}]);"
        "print({'pandas', 'polars', 'pyarrow', 'numpy', 'duckdb'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
