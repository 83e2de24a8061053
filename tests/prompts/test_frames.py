"""What is promised about tables in a prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.limits import Limits
from h2o_magic.prompts.values import as_prompt


def lines(value: object, **limits: int) -> list[str]:
    return as_prompt(value, "df", limits=Limits(**limits)).split("\n")


def test_a_small_table_of_pandas_is_markdown_with_shape_and_types() -> None:
    frame = pd.DataFrame({"city": ["Rome", "Oslo"], "size": [4.3, 0.7], "n": [1, 2]})
    frame["city"] = frame["city"].astype(object)
    assert lines(frame) == [
        (
            "pandas DataFrame, 2 rows x 3 columns; "
            "dtypes: city object, size float64, n int64"
        ),
        "",
        "| city | size | n |",
        "| --- | --- | --- |",
        "| Rome | 4.3 | 1 |",
        "| Oslo | 0.7 | 2 |",
    ]


def test_a_small_table_of_polars_is_markdown_with_shape_and_types() -> None:
    frame = pl.DataFrame({"city": ["Rome", None], "sizes": [[1, 2], []]})
    assert lines(frame) == [
        "polars DataFrame, 2 rows x 2 columns; dtypes: city String, sizes List(Int64)",
        "",
        "| city | sizes |",
        "| --- | --- |",
        "| Rome | [1, 2] |",
        "| None | [] |",
    ]


def wide(kind: Any, rows: int = 10_000) -> Any:
    return kind({f"c{n}": range(rows) for n in range(23)})


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_large_table_is_cut_and_says_what_was_left_out(kind: Any) -> None:
    shown = lines(wide(kind))
    assert "10,000 rows x 23 columns" in shown[0]
    assert shown[2].startswith("| c0 |")
    assert shown[2].endswith("| c19 |")
    assert len(shown) == 4 + 50 + 2
    assert shown[-1] == "… 9,950 more rows and 3 columns left out"


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("rows", "columns", "note"),
    [
        (200, 2, "… 21 more columns left out"),
        (199, 23, "… 1 more row left out"),
        (1, 22, "… 199 more rows and 1 column left out"),
    ],
)
def test_the_limits_of_a_table_are_parameters(
    kind: Any, rows: int, columns: int, note: str
) -> None:
    shown = lines(wide(kind, 200), rows=rows, columns=columns, characters=10_000_000)
    assert shown[-1] == note
    assert len(shown) == 4 + rows + 2


def test_a_table_of_long_cells_is_cut_as_a_whole() -> None:
    shown = lines(pd.DataFrame({"a": ["x" * 150] * 40}), characters=1_000)
    assert shown[-1] == "… 34 more rows left out"
    assert len(shown) == 4 + 6 + 2


def test_a_cell_is_one_line_with_pipes_escaped_and_cut() -> None:
    frame = pd.DataFrame({"a|b": ["x|y", "one\ntwo\r\nthree", "z" * 1000, ""]})
    assert lines(frame)[2:] == [
        "| a\\|b |",
        "| --- |",
        "| x\\|y |",
        "| one\\ntwo\\nthree |",
        f"| {'z' * 200}… |",
        '| "" |',
    ]


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
        "| 1.5 | x | 2024-01-31 00:00:00 | 1 |",
        "| NaN | None | NaT | <NA> |",
    ]


def test_numbers_have_no_noise() -> None:
    assert lines(pd.DataFrame({"a": [0.1 + 0.2]}))[-1] == "| 0.3 |"


def test_the_default_index_is_not_shown_and_another_one_is() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert lines(frame)[2] == "| a |"
    assert lines(frame.set_index(pd.Index(["x", "y"])))[2:] == [
        "| index | a |",
        "| --- | --- |",
        "| x | 1 |",
        "| y | 2 |",
    ]
    assert lines(frame.rename_axis("id"))[2] == "| id | a |"
    assert lines(frame.iloc[1:])[-1] == "| 1 | 2 |"


def test_an_index_of_several_levels_takes_a_column_each() -> None:
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])
    frame = pd.DataFrame({("x", "y"): [1, 2], ("x", "z"): [3, 4]}, index=index)
    assert lines(frame)[2:] == [
        "| k | level 1 | x / y | x / z |",
        "| --- | --- | --- | --- |",
        "| a | 1 | 1 | 3 |",
        "| b | 2 | 2 | 4 |",
    ]


def test_columns_of_the_same_name_are_all_shown() -> None:
    frame = pd.DataFrame([[1, "x"]], columns=["a", "a"])
    assert lines(frame)[2:] == ["| a | a |", "| --- | --- |", "| 1 | x |"]


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (pd.DataFrame(), "pandas DataFrame, 0 rows x 0 columns"),
        (pl.DataFrame(), "polars DataFrame, 0 rows x 0 columns"),
        (
            pd.DataFrame({"a": pd.Series([], dtype="int64")}),
            "pandas DataFrame, 0 rows x 1 column; dtypes: a int64\n\n| a |\n| --- |",
        ),
        (
            pd.DataFrame(index=["x"]),
            "pandas DataFrame, 1 row x 0 columns\n\n| index |\n| --- |\n| x |",
        ),
    ],
)
def test_an_empty_table_is_told_as_one(frame: object, text: str) -> None:
    assert as_prompt(frame, "df") == text


@pytest.mark.parametrize(
    ("series", "text"),
    [
        (
            pd.Series([1, 2], index=["x", "y"], name="n"),
            (
                "pandas Series, 2 rows; dtype: int64\n\n"
                "| index | n |\n| --- | --- |\n| x | 1 |\n| y | 2 |"
            ),
        ),
        (
            pd.Series([1.5]),
            "pandas Series, 1 row; dtype: float64\n\n| value |\n| --- |\n| 1.5 |",
        ),
        (
            pl.Series("n", [1, 2]),
            "polars Series, 2 rows; dtype: Int64\n\n| n |\n| --- |\n| 1 |\n| 2 |",
        ),
    ],
)
def test_a_series_is_a_table_of_one_column(series: object, text: str) -> None:
    assert as_prompt(series, "s") == text


def test_a_cell_that_holds_a_list_is_built_only_as_far_as_it_is_shown() -> None:
    frame = pd.DataFrame({"a": [list(range(100_000))] * 50})
    shown = lines(frame)
    assert len(set(shown[4:])) == 1  # no row has less room than another
    assert shown[4].startswith("| [0, 1, 2,")


def test_a_subclass_of_a_table_is_a_table() -> None:
    class Places(pd.DataFrame):
        pass

    assert lines(Places({"a": [1]}))[-1] == "| 1 |"


def test_a_table_is_not_changed_by_showing_it() -> None:
    frame = pd.DataFrame({"a": np.arange(100)})
    before = frame.copy(deep=True)
    as_prompt(frame, "df")
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    "value", [pd.DataFrame({"a": [1]}).groupby("a"), pl.DataFrame({"a": [1]}).lazy()]
)
def test_what_has_no_rows_yet_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="which has no text that says"):
        as_prompt(value, "lazy")
