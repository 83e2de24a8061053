"""What is promised about arrays in a prompt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from h2o_magic.prompts.limits import Limits
from h2o_magic.prompts.values import as_prompt


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.arange(3), "ndarray of shape (3,), dtype int64:\n[0, 1, 2]"),
        (
            np.array([[1.5, np.nan], [0.1 + 0.2, np.inf]]),
            "ndarray of shape (2, 2), dtype float64:\n[[1.5, NaN],\n [0.3, inf]]",
        ),
        (
            np.full((2,), 0.1, dtype="float32"),
            "ndarray of shape (2,), dtype float32:\n[0.1, 0.1]",
        ),
        (np.zeros((0, 3)), "ndarray of shape (0, 3), dtype float64:\n[]"),
        (
            np.array(["a\nb", "c"]),
            "ndarray of shape (2,), dtype <U3:\n['a\\nb', 'c']",
        ),
        (
            np.array([True, None, {"k": 1}], dtype=object),
            "ndarray of shape (3,), dtype object:\n[True, None, {'k': 1}]",
        ),
        (
            np.array(["2024-01-31"], dtype="datetime64[D]"),
            "ndarray of shape (1,), dtype datetime64[D]:\n['2024-01-31']",
        ),
        (
            np.ones((1, 2, 2), dtype=int),
            "ndarray of shape (1, 2, 2), dtype int64:\n[[[1, 1],\n  [1, 1]]]",
        ),
        (pd.Index([1, 2]), "Index of shape (2,), dtype int64:\n[1, 2]"),
    ],
)
def test_an_array_is_its_shape_type_and_values(array: object, text: str) -> None:
    assert as_prompt(array, "a") == text


@pytest.mark.parametrize(
    ("scalar", "text"),
    [(np.float32(0.1), "0.1"), (np.array(7), "7"), (np.bool_(True), "True")],
)
def test_an_array_of_one_part_is_that_part(scalar: object, text: str) -> None:
    assert as_prompt(scalar, "a") == text


def test_a_long_array_says_how_much_is_left_out() -> None:
    text = as_prompt(np.arange(1_000_000), "a")
    assert text.startswith(
        "ndarray of shape (1000000,), dtype int64, only the first 100 shown:\n[0, 1,"
    )
    assert text.endswith("98, 99, … 999,900 more]")


def test_a_large_matrix_is_cut_in_both_directions() -> None:
    text = as_prompt(np.zeros((1000, 30), dtype=int), "a")
    head, *rows = text.split("\n")
    assert head.endswith("only the first 50 x 20 shown:")
    assert len(rows) == 50 + 1
    assert all(row.count("0,") == 20 for row in rows[:50])
    assert rows[-1] == " … 950 more]"


def test_an_array_of_many_dimensions_stays_small() -> None:
    text = as_prompt(np.zeros((10,) * 6), "a")
    assert "only the first 3 x 3 x 3 x 3 x 3 x 3 shown" in text
    assert len(text) < 20_000


def test_the_limits_of_an_array_are_parameters() -> None:
    text = as_prompt(np.arange(5), "a", limits=Limits(items=2))
    assert text.endswith("[0, 1, … 3 more]")


def test_numpys_own_print_options_do_not_count() -> None:
    array = np.linspace(0, 1, 5)
    before = as_prompt(array, "a")
    with np.printoptions(precision=1, threshold=2, edgeitems=1):
        assert as_prompt(array, "a") == before


class LikeAnArray:
    """As arrays of other packages are: only what all of them have."""

    shape = (4,)
    dtype = "torch.float32"

    def __getitem__(self, part: object) -> np.ndarray:
        return np.arange(4, dtype="float32")[part]  # type: ignore[index]


def test_whatever_has_shape_and_type_is_an_array() -> None:
    assert as_prompt(LikeAnArray(), "a") == (
        "LikeAnArray of shape (4,), dtype float32:\n[0.0, 1.0, 2.0, 3.0]"
    )


def test_the_class_of_arrays_is_no_array() -> None:
    assert as_prompt(np.ndarray, "a").startswith("```python\nclass ndarray")
