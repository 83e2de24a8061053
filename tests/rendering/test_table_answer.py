"""A table in an answer becomes columns and rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.rendering.instructions import TABLE_SCHEMA
from h2o_magic.rendering.json import AnswerFormatError
from h2o_magic.rendering.schema import problems
from h2o_magic.rendering.table_answer import markdown_table, rows_of

CITIES = (["city", "people"], [["Ulm", 126], ["Köln", 1087]])


@pytest.mark.parametrize(
    "value",
    [
        [{"city": "Ulm", "people": 126}, {"city": "Köln", "people": 1087}],
        {"city": ["Ulm", "Köln"], "people": [126, 1087]},
        [["city", "people"], ["Ulm", 126], ["Köln", 1087]],
        {
            "title": "Cities",
            "rows": [
                {"city": "Ulm", "people": 126},
                {"people": 1087, "city": "Köln"},
            ],
        },
        {"answer": {"city": ["Ulm", "Köln"], "people": [126, 1087]}},
    ],
)
def test_every_usual_shape_is_the_same_table(value: object) -> None:
    assert rows_of(value) == CITIES


def test_a_key_that_a_row_lacks_is_none() -> None:
    assert rows_of([{"a": 1}, {"b": 2}]) == (["a", "b"], [[1, None], [None, 2]])


def test_one_flat_object_is_one_row_and_an_empty_list_no_row() -> None:
    assert rows_of({"a": 1, "b": None}) == (["a", "b"], [[1, None]])
    assert rows_of([]) == ([], [])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text", "got text"),
        (None, "got null"),
        (3, "got a number"),
        ({}, "got an empty object"),
        ([1, 2], "got a list with a number"),
        ([{"a": 1}, 2], "got a number as item 1"),
        ([["a", "b"], [1]], "expected 2 values in row 1, got 1"),
        ([[1, 2], [3, 4]], "without column names"),
        ({"a": [1, 2], "b": [1]}, "columns of the same length, got 'a' 2, 'b' 1"),
        ({"a": [{"x": 1}], "b": [{"x": 1}]}, "an object with 2 tables"),
        ({"a": [1], "b": {"c": 1}}, "an object of other values"),
    ],
)
def test_what_is_no_table_is_told(value: object, words: str) -> None:
    with pytest.raises(AnswerFormatError, match=words):
        rows_of(value)


KEYS = st.text(min_size=1)
FLAT = st.none() | st.booleans() | st.integers() | st.text()


@given(st.lists(st.dictionaries(KEYS, FLAT, min_size=1)))
def test_every_list_of_flat_objects_fits_the_schema_and_is_a_table(
    value: list[dict[str, object]],
) -> None:
    assert problems(value, TABLE_SCHEMA) == []
    columns, rows = rows_of(value)
    assert len(rows) == len(value)
    assert all(len(row) == len(columns) for row in rows)
    for row, item in zip(rows, value, strict=True):
        assert {n: v for n, v in zip(columns, row, strict=True) if n in item} == item


def test_nested_values_do_not_fit_the_table_schema() -> None:
    (problem,) = problems([{"a": 1}, {"a": [1]}], TABLE_SCHEMA)
    assert problem.startswith("[1].a: expected string or number")


def test_a_markdown_table_is_read_with_its_numbers() -> None:
    text = """Here:

| city | people | share | note |
|:-----|-------:|:-----:|---|
| Ulm | 126 | 0.5 | a \\| b |
| Köln | 1087 | 2 |  |

More words | than cells."""
    columns, rows = markdown_table(text) or ([], [])
    assert columns == ["city", "people", "share", "note"]
    assert rows == [["Ulm", 126, 0.5, "a | b"], ["Köln", 1087, 2.0, None]]


def test_a_table_without_outer_bars_or_in_a_fence_is_read() -> None:
    assert markdown_table("a | b\n--|--\n1 | x") == (["a", "b"], [[1, "x"]])
    assert markdown_table("```\n| a |\n|---|\n| 1 |\n```") == (["a"], [[1]])


def test_short_rows_are_filled_and_names_made_distinct() -> None:
    table = markdown_table("| a | a | |\n|---|---|---|\n| 1 |")
    assert table == (["a", "a 2", "column 3"], [[1, None, None]])


@pytest.mark.parametrize("text", ["", "no table", "a | b", "| a |\n|--|--|\n| 1 |"])
def test_where_there_is_no_table_none_is_returned(text: str) -> None:
    assert markdown_table(text) is None


def test_a_cell_without_a_column_is_not_dropped() -> None:
    with pytest.raises(AnswerFormatError, match="expected 2 values in row 2, got 3"):
        markdown_table("| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 | 3 |")
    assert markdown_table("| a |\n|---|\n| 1 | | |") == (["a"], [[1]])


@given(st.text(st.sampled_from("|-: \\ax1\n`"), max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    try:
        table = markdown_table(text)
    except AnswerFormatError:
        return
    assert table is None or all(len(row) == len(table[0]) for row in table[1])
