"""What is promised about tables in a prompt."""

from __future__ import annotations

import datetime
import tracemalloc
from decimal import Decimal
from typing import Any

import dask.dataframe
import duckdb
import geopandas
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from shapely.geometry import Point

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.values import describe


def text(value: object, tokens: int = 100_000, **wanted: str) -> str:
    return describe(value, "df", **wanted).text(tokens)  # type: ignore[arg-type]


def lines(value: object, tokens: int = 100_000, **wanted: str) -> list[str]:
    return text(value, tokens, **wanted).split("\n")


def small() -> pd.DataFrame:
    city = pd.Series(["Rome", "Oslo", "Oslo"], dtype=object)
    return pd.DataFrame({"city": city, "size": [4.3, None, 0.7], "n": [1, 2, 3]})


def test_a_table_is_its_shape_its_columns_and_its_rows() -> None:
    assert lines(small()) == [
        "pandas DataFrame, 3 rows x 3 columns",
        "duplicated rows: 0",
        "",
        "| column | dtype | missing | distinct | values |",
        "| --- | --- | --- | --- | --- |",
        "| city | str | 0 | 2 | Oslo (2), Rome (1) |",
        "| size | float64 | 1 | 2 | min 0.7, mean 2.5, max 4.3 |",
        (
            "| n | int64 | 0 | 3 | min 1, mean 2.0, max 3, quartiles 1.5, 2.0, 2.5, "
            "std 1.0 |"
        ),
        "",
        "All rows:",
        "",
        "| city | size | n |",
        "| --- | --- | --- |",
        "| Rome | 4.3 | 1 |",
        "| Oslo | NaN | 2 |",
        "| Oslo | 0.7 | 3 |",
    ]


def test_a_table_is_never_part_of_a_sentence() -> None:
    assert describe(pd.DataFrame({"a": [1]}), "df").inline == ""


DATA = {"city": ["Rome", None, "Rome"], "n": [1, 2, 3]}


@pytest.mark.parametrize(
    ("value", "first", "city"),
    [
        (pd.DataFrame(DATA), "pandas DataFrame, 3 rows x 2 columns", "str"),
        (pl.DataFrame(DATA), "polars DataFrame, 3 rows x 2 columns", "String"),
        (pa.table(DATA), "pyarrow Table, 3 rows x 2 columns", "string"),
        (pa.record_batch(DATA), "pyarrow RecordBatch, 3 rows x 2 columns", "string"),
        (
            duckdb.from_arrow(pa.table(DATA)),
            "DuckDB relation, 3 rows x 2 columns",
            "VARCHAR",
        ),
        (
            geopandas.GeoDataFrame(DATA),
            "geopandas GeoDataFrame, 3 rows x 2 columns",
            "str",
        ),
    ],
)
def test_tables_of_all_packages_are_told_alike(
    value: object, first: str, city: str
) -> None:
    shown = lines(value)
    assert shown[0] == first
    kind = "object" if pd.__version__ < "3" and city == "str" else city
    assert f"| city | {kind} | 1 | 1 | Rome (2) |" in shown
    assert shown[-5:-2] == ["| city | n |", "| --- | --- |", "| Rome | 1 |"]


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (pd.Series([1.5, None], name="n"), "| n | float64 | 1 | 1 | min 1.5,"),
        (pd.Series([1.5]), "| no name | float64 | 0 | 1 |"),
        (pd.Index([1, 2], name="i"), "| i | int64 | 0 | 2 |"),
        (pl.Series("n", [1, None]), "| n | Int64 | 1 | 1 |"),
        (geopandas.GeoSeries([Point(1, 2)]), "| no name | geometry | 0 | 1 | types"),
    ],
)
def test_a_series_is_a_table_of_one_column(value: object, row: str) -> None:
    assert any(line.startswith(row) for line in lines(value))


def test_types_of_columns_are_named_as_in_a_description_of_the_frame() -> None:
    kinds = {
        "n": np.dtype("int64"),
        "day": np.dtype("datetime64[ns]"),
        "hour": pd.DatetimeTZDtype("us", "UTC"),
        "text": pd.StringDtype("python", na_value=np.nan),
        "any": np.dtype("O"),
    }
    assert lines(pd.Series(kinds, dtype=object))[-5:] == [
        "| n | int64 |",
        "| day | datetime64 |",
        "| hour | datetime64[UTC] |",
        "| text | str |",
        "| any | object |",
    ]


class SparkFrame:
    """As Spark's: its columns are known, and everything else is a job."""

    __module__ = "pyspark.sql.dataframe"
    dtypes = (("city", "string"), ("n", "bigint"))

    def collect(self, *_: object) -> Any:
        raise AssertionError("it was computed")

    count = limit = head = toPandas = collect  # noqa: N815 - Spark's names


SparkFrame.__name__ = "DataFrame"


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (pl.DataFrame(DATA).lazy(), ("polars LazyFrame", "String", "Int64")),
        (
            dask.dataframe.from_pandas(pd.DataFrame(DATA), npartitions=1),
            ("dask DataFrame", "str", "int64"),
        ),
        (SparkFrame(), ("Spark DataFrame", "string", "bigint")),
    ],
)
def test_of_a_table_that_is_not_computed_there_is_the_schema(
    value: object, kinds: tuple[str, str, str]
) -> None:
    shown = lines(value)
    assert shown[0] == f"{kinds[0]}, 2 columns; rows not computed"
    assert shown[2] == "| column | dtype |"
    assert [kind in line for kind, line in zip(kinds[1:], shown[4:], strict=True)]
    with pytest.raises(ConfigurationError, match=r"`\{df:rows\}`: its rows have not"):
        text(value, spec="rows")


# What is asked for after a colon


def test_the_schema_is_names_and_types_without_a_value() -> None:
    assert lines(small(), spec="schema")[2:] == [
        "| column | dtype |",
        "| --- | --- |",
        "| city | str |",
        "| size | float64 |",
        "| n | int64 |",
    ]


def test_rows_are_all_rows_that_fit() -> None:
    frame = pd.DataFrame({"a": range(5_000), "b": 0.5})
    shown = lines(frame, 1_000, spec="rows")
    assert shown[2] == "dtypes: a int64, b float64"
    count = len(shown) - 8
    assert shown[4] == f"First {count} of 5,000 rows:"
    assert shown[-1] == f"| {count - 1} | 0.5 |"
    assert 900 <= tokens_in("\n".join(shown)) <= 1_000


def test_a_number_is_that_many_rows_if_they_fit() -> None:
    frame = pd.DataFrame({"a": range(5_000)})
    assert len(lines(frame, spec="50")) == 8 + 50
    assert "First 50 of 5,000 rows:" in lines(frame, spec="50")
    assert len(lines(frame, 200, spec="50")) < 8 + 30
    assert "All rows:" in lines(frame[:3], spec="50")


def test_rows_of_many_columns_are_of_those_that_fit() -> None:
    frame = pd.DataFrame({f"c{n}": range(9) for n in range(300)})
    shown = lines(frame, 500, spec="rows", question="Why is c250 so?")
    assert shown[2].startswith("dtypes: c0 int64,")
    assert shown[2].endswith("more columns left out")
    assert " | c250 |" in shown[6]
    assert len(shown) >= 8 + 3


@pytest.mark.parametrize("spec", ["row", "0", "-1", "1.5"])
def test_another_word_after_the_colon_is_an_error(spec: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        text(small(), spec=spec)
    assert str(caught.value) == (
        f"`{{df:{spec}}}`: expected `{{df:rows}}`, `{{df:schema}}`, a number of rows "
        "as in `{df:50}`, or `{df}`"
    )


# Fewer tokens


def test_fewer_tokens_take_rows_first_then_what_is_said_of_columns() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 8)), columns=list("abcdefgh"))
    described = describe(frame, "df")
    counts = []
    for tokens in (2_000, 1_000, 600, 400, 250, 120, 60):
        shown = described.text(tokens)
        assert tokens_in(shown) <= tokens
        columns = shown.partition("\nFirst ")[0].count("float64 |")
        counts.append(columns)
        assert "First " not in shown or columns == 8
    assert counts[:3] == [8, 8, 8]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    assert described.text(1_000) == described.text(1_000)


def test_columns_that_do_not_fit_are_named_at_least() -> None:
    names = [f"{name}_{kind}" for name in "abcdefghij" for kind in ("in", "out", "up")]
    frame = pd.DataFrame({name: [0.25, 0.5] for name in names})
    shown = text(frame, 400)
    assert tokens_in(shown) <= 400
    assert sum(name in shown for name in names) >= 22
    assert " more" in shown


def test_the_least_is_the_text_without_rows() -> None:
    described = describe(pd.DataFrame({"a": range(1_000)}), "df")
    assert tokens_in(described.text(described.least)) <= described.least
    assert described.least < tokens_in(described.text(1_000))
    assert "| a | int64 |" in described.text(described.least)


def test_with_hardly_a_token_there_is_the_first_line() -> None:
    assert text(small(), 1) == "pandas DataFrame, 3 rows x 3 columns"


def test_columns_that_the_question_names_come_before_others() -> None:
    frame = pd.DataFrame({f"col_{n}": [float(n), 0.5, 7.25] for n in range(500)})
    shown = text(frame, 600, question="Compare col_499 and col 250 for me")
    assert "| col_499 | float64 | 0 | 3 | min 0.5, mean 168.917, max 499.0 |" in shown
    assert "| col_250 |" in shown
    assert "| col_0 |" in shown
    assert shown.index("| col_250 |") < shown.index("| col_499 |")
    assert "col_0 … col_499 (500)" in shown


# Cells and labels


def test_a_cell_is_one_line_with_pipes_escaped_and_cut() -> None:
    frame = pd.DataFrame({"a|b": ["x|y", "one\ntwo\r\nthree", "z" * 1000, "", " x"]})
    assert lines(frame, spec="rows")[6:] == [
        "| a\\|b |",
        "| --- |",
        "| x\\|y |",
        "| 'one\\ntwo\\r\\nthree' |",
        f"| {'z' * 80}… |",
        "| '' |",
        "| ' x' |",
    ]


def test_a_label_can_be_copied_into_code() -> None:
    frame = pd.DataFrame([[1] * 6], columns=["a", 3, "3", ("x", 1), " b", "ü"])
    head = "| a | 3 | '3' | ('x', 1) | ' b' | ü |"
    assert lines(frame, spec="rows")[6] == head


def test_what_is_missing_can_be_read() -> None:
    frame = pd.DataFrame(
        {
            "float": [1.5, float("nan")],
            "object": pd.Series(["x", None], dtype=object),
            "time": pd.to_datetime(["2024-01-31", None]),
            "int": pd.array([1, None], dtype="Int64"),
        }
    )
    assert lines(frame)[-2:] == [
        "| 1.5 | x | 2024-01-31 | 1 |",
        "| NaN | NaN | NaT | <NA> |",
    ]


def test_numbers_have_six_digits_and_no_noise() -> None:
    frame = pd.DataFrame({"a": [0.1 + 0.2, 1 / 3, 123456.789, 1e7, 1e-7, -2e20]})
    shown = [line.strip("| ") for line in lines(frame)[-6:]]
    assert shown == ["0.3", "0.333333", "123457.0", "10000000.0", "1e-07", "-2e+20"]


def test_the_default_index_is_not_shown_and_another_one_is() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert "index" not in text(frame)
    named = lines(frame.set_index(pd.Index(["x", "y"], name="k")))
    assert named[1].startswith("index: k, ")
    assert named[1].endswith(", 2 distinct, x, y")
    assert named[-4:] == ["| k | a |", "| --- | --- |", "| x | 1 |", "| y | 2 |"]
    assert lines(frame.iloc[1:])[-1] == "| 1 | 2 |"


def test_columns_of_the_same_name_are_all_shown() -> None:
    frame = pd.DataFrame([[1, "x"]], columns=["a", "a"])
    assert lines(frame)[-3:] == ["| a | a |", "| --- | --- |", "| 1 | x |"]


ODD: dict[str, Any] = {
    "lists": [[1], [2, 3], None],
    "mappings": [{"a": 1}, {}, None],
    "mixed": [1, "x", None],
    "period": pd.period_range("2024-01", periods=3, freq="M"),
    "interval": pd.interval_range(0, 3),
    "zone": pd.date_range("2024", periods=3, tz="Europe/Berlin"),
    "duration": pd.to_timedelta([1, 2, None], unit="h"),
    "nullable": pd.array([1, None, 3], dtype="Int64"),
    "truth": pd.array([True, None, False], dtype="boolean"),
    "sparse": pd.arrays.SparseArray([0, 0, 1.0]),
    "infinite": [np.inf, 1, np.nan],
    "complex": [1j, 2, 3],
    "decimal": [Decimal("1.5"), None, Decimal(2)],
    "date": [datetime.date(2024, 1, 1)] * 3,
    "bytes": [b"a", b"b", None],
    "huge": [10**400, 1, 2],
    "zones": [
        datetime.datetime(2024, 1, 1),
        datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
        None,
    ],
    "nothing": [None] * 3,
    "surrogate": pd.Series(["\ud800", "a", "b"], dtype=object),
}


@pytest.mark.parametrize("name", ODD)
def test_columns_of_all_kinds_are_told(name: str) -> None:
    shown = text(pd.DataFrame({name: ODD[name]}))
    assert f"| {name} | " in shown
    assert "All rows:" in shown
    shown.encode()


def test_odd_columns_say_what_is_in_them() -> None:
    shown = text(pd.DataFrame(ODD))
    assert "| lists | object | 1 | 2 | [1], [2, 3] |" in shown
    assert "| mixed | object | 1 | 2 | types int (1), str (1); 1, x |" in shown
    assert "| period | period[M] | 0 | 3 | 2024-01 to 2024-03 |" in shown
    assert "max 1.0, 1 infinite or NaN |" in shown
    assert "| nothing | object | 3 | 0 |  |" in shown


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_an_empty_table_is_told_as_one(kind: Any) -> None:
    package = kind.__module__.partition(".")[0]
    assert text(kind()) == f"{package} DataFrame, 0 rows x 0 columns"
    assert lines(kind({"a": []}))[:4] == [
        f"{package} DataFrame, 0 rows x 1 column",
        "",
        "| column | dtype | missing | distinct |",
        "| --- | --- | --- | --- |",
    ]
    assert "index: " in text(pd.DataFrame(index=["x"]))


class Broken(pd.DataFrame):
    @property
    def iloc(self) -> Any:
        raise RuntimeError("no")


def test_of_a_table_that_raises_there_is_what_can_be_said() -> None:
    assert lines(Broken({"a": [1]}))[0] == "pandas Broken, 1 row x 1 column"
    assert "| a | int64 |" in text(Broken({"a": [1]}))


def test_a_subclass_of_a_table_is_a_table() -> None:
    class Places(pd.DataFrame):
        pass

    assert lines(Places({"a": [1]}))[-1] == "| 1 |"


def test_a_table_is_not_changed_by_showing_it() -> None:
    frame = pd.DataFrame({"a": np.arange(100)})
    before = frame.copy(deep=True)
    text(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_description_is_of_the_table_as_it_was() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    described = describe(frame, "df")
    before = described.text(500)
    frame.loc[0, "a"] = 77
    assert described.text(500) == before


def test_groups_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="which has no text that says"):
        text(pd.DataFrame({"a": [1]}).groupby("a"))


# Large tables


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_of_a_large_table_a_sample_is_looked_at_and_the_rest_counted(kind: Any) -> None:
    numbers = np.arange(400_000)
    frame = kind({"n": numbers, "x": numbers / 2, "s": ["a", "b"] * 200_000})
    shown = text(frame)
    assert "commonest values are of a sample of 10,000 rows" in shown
    assert "min 0, mean 199999.5, max 399999" in shown.replace("200000.0", "199999.5")
    assert " | 10,000 | min 0.0, mean 99999.8, max 199999.5," in shown.replace(
        "max 200000.0", "max 199999.5"
    )
    assert "a (4," in shown


def test_of_a_huge_table_the_sample_is_all_that_counts() -> None:
    shown = text(pd.DataFrame({"n": np.arange(3_000_000)}))
    assert "pandas DataFrame, 3,000,000 rows x 1 column" in shown
    assert "all figures below are of a sample of 10,000 rows" in shown
    assert "| n | int64 | 0 in sample | 10,000 | min " in shown


def test_a_large_table_is_not_copied() -> None:
    frame = pd.DataFrame({f"c{n}": np.arange(500_000) / 3 for n in range(8)})
    text(frame)
    tracemalloc.start()
    try:
        text(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16e6  # of 32 MB


class Cell:
    """A value that counts how often it is looked at."""

    seen = 0

    def __repr__(self) -> str:
        Cell.seen += 1
        return "cell"

    def __hash__(self) -> int:
        Cell.seen += 1
        return 1

    def __eq__(self, other: object) -> bool:
        return self is other


def test_of_a_large_column_of_objects_only_the_sample_is_looked_at() -> None:
    cell = Cell()
    text(pd.DataFrame({"a": pd.Series([cell] * 300_000, dtype=object)}))
    assert 0 < Cell.seen < 30_000


def test_a_relation_is_asked_for_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = text(duckdb.sql("select i from range(10000000000) t(i)"))
    assert shown.startswith("DuckDB relation, more than 1,000 rows (not counted)")


def test_a_column_of_arrays_is_told_of() -> None:
    vectors = pd.Series([np.zeros(2), np.ones(2), None])
    assert "| vector | object | 1 | 2 |" in text(pd.DataFrame({"vector": vectors}))


def test_lists_that_begin_alike_are_not_called_the_same() -> None:
    alike = pd.DataFrame({"path": [[*range(50), 1], [*range(50), 2]]})
    assert "| path | object | 0 | 1 |" not in text(alike)
    assert "| path | object | 0 | 2 |" in text(pd.DataFrame({"path": [[1], [2]]}))


# Secrets


def test_a_secret_in_a_row_that_is_never_shown_stops_no_question() -> None:
    notes = [f"note {n}, which is rather long and says little" for n in range(200)]
    notes[150] = "password = 'hunter2!hunter2'"
    frame = pd.DataFrame({"n": range(200), "note": notes})
    described = describe(frame, "df", guard=Guard("df", {}, {}))
    assert "note 0," in described.text(1_000)
    assert "hunter2" not in described.text(1_000_000)


@pytest.mark.parametrize("row", [0, 2])
def test_a_secret_in_a_row_that_is_shown_is_refused(row: int) -> None:
    notes: list[object] = ["a", "b", "c"]
    notes[row] = {"password": "hunter2"}
    with pytest.raises(ConfigurationError, match="not put into the prompt"):
        text(pd.DataFrame({"n": range(3), "note": notes}))


def test_a_secret_of_which_a_cell_shows_only_the_beginning_is_refused() -> None:
    secret = "ab12" * 60
    guard = Guard("df", {"MY_TOKEN": secret}, {})
    with pytest.raises(ConfigurationError, match="the environment variable MY_TOKEN"):
        describe(pd.DataFrame({"note": ["x", secret]}), "df", guard=guard)


def test_types_and_gaps_read_the_same_whatever_pandas_calls_them() -> None:
    made = {
        "text": pd.Series(["x", None], dtype=object),
        "newer": pd.Series(["x", np.nan], dtype="str"),
        "mixed": pd.Series(["x", 1], dtype=object),
        "day": pd.Series(["2024-01-01", "2024-01-02"]).astype("datetime64[ns]"),
        "zoned": pd.to_datetime(pd.Series(["2024-01-01"] * 2), utc=True),
    }
    types = lines(pd.DataFrame(made), spec="schema")[4:]
    assert types == [
        "| text | str |",
        "| newer | str |",
        "| mixed | object |",
        "| day | datetime64 |",
        "| zoned | datetime64[UTC] |",
    ]
    both = pd.DataFrame({name: made[name] for name in ("text", "newer")})
    assert lines(both)[-1] == "| NaN | NaN |"
