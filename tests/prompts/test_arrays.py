"""What is promised about arrays in a prompt."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.values import describe


def text(value: object, tokens: int = 100_000, **wanted: str) -> str:
    return describe(value, "a", **wanted).text(tokens)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (
            np.arange(3),
            "ndarray of shape (3,), dtype int64, min 0, mean 1.0, max 2:\n[0, 1, 2]",
        ),
        (
            np.array([[1.5, np.nan], [0.1 + 0.2, 9.0]]),
            (
                "ndarray of shape (2, 2), dtype float64, min 0.3, mean 3.6, max 9.0, "
                "1 NaN:\n[[1.5, NaN],\n [0.3, 9.0]]"
            ),
        ),
        (
            np.full((2,), 1 / 3, dtype="float32"),
            (
                "ndarray of shape (2,), dtype float32, min 0.333333, mean 0.333333, "
                "max 0.333333:\n[0.333333, 0.333333]"
            ),
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
            np.array(["2024-01-31", "NaT"], dtype="datetime64[D]"),
            (
                "ndarray of shape (2,), dtype datetime64[D], min 2024-01-31, "
                "max 2024-01-31, 1 NaT:\n['2024-01-31', 'NaT']"
            ),
        ),
        (
            np.ones((1, 2, 2), dtype=int),
            (
                "ndarray of shape (1, 2, 2), dtype int64, min 1, mean 1.0, max 1:\n"
                "[[[1, 1],\n  [1, 1]]]"
            ),
        ),
        (
            np.array([True, False]),
            "ndarray of shape (2,), dtype bool, 1 True:\n[True, False]",
        ),
        (
            np.array([np.nan]),
            "ndarray of shape (1,), dtype float64, 1 NaN:\n[NaN]",
        ),
    ],
)
def test_an_array_is_its_shape_type_range_and_values(array: object, shown: str) -> None:
    assert text(array) == shown


@pytest.mark.parametrize(
    ("scalar", "shown"),
    [(np.float32(0.1), "0.1"), (np.array(7), "7"), (np.bool_(True), "True")],
)
def test_an_array_of_one_part_is_that_part(scalar: object, shown: str) -> None:
    assert describe(scalar, "a").inline == text(scalar) == shown


@pytest.mark.parametrize("tokens", [100, 400])
def test_as_many_values_are_shown_as_fit(tokens: int) -> None:
    shown = text(np.arange(1_000_000), tokens)
    assert shown.startswith("ndarray of shape (1000000,), dtype int64, min 0, mean ")
    values = shown.partition("\n")[2].count(",") - 1  # that of the note
    assert shown.endswith(f", … {1_000_000 - values:,} more]")
    assert 0.8 * tokens <= tokens_in(shown) <= tokens


def test_a_large_matrix_is_cut_in_both_directions() -> None:
    head, *rows = text(np.zeros((1000, 30), dtype=int)).split("\n")
    assert "shape (1000, 30)" in head
    assert len(rows) == 100 + 1
    assert all(row.count("0,") == 20 for row in rows[:100])
    assert rows[-1] == " … 900 more]"


def test_an_array_of_many_dimensions_stays_small() -> None:
    assert tokens_in(text(np.zeros((10,) * 6), 1_000)) <= 1_000
    assert len(text(np.zeros((10,) * 6))) < 20_000


def test_a_number_after_the_colon_is_so_many_values() -> None:
    assert text(np.arange(5), spec="2").endswith("\n[0, 1, … 3 more]")
    with pytest.raises(ConfigurationError, match="expected a number of values as in"):
        text(np.arange(5), spec="rows")


def test_what_a_mask_hides_does_not_count() -> None:
    masked = np.ma.masked_array([1, 900], [0, 1])
    assert text(masked).endswith("min 1, mean 1.0, max 1:\n[1, None]")


def test_numpys_own_print_options_do_not_count() -> None:
    array = np.linspace(0, 1, 5)
    before = text(array)
    with np.printoptions(precision=1, threshold=2, edgeitems=1):
        assert text(array) == before


def test_a_large_array_is_not_copied() -> None:
    array = np.zeros((3_000, 1_000))
    array[5, 5] = np.nan
    tracemalloc.start()
    try:
        assert "1 NaN" in text(array)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12e6  # of 24 MB


class LikeAnArray:
    """As arrays of other packages are: only what all of them have."""

    shape = (4,)
    dtype = "torch.float32"

    def __getitem__(self, part: object) -> Any:
        return np.arange(4, dtype="float32")[part]  # type: ignore[index]


class WithUnits(np.ndarray):
    """As those of astropy: its text says more than that of an array."""

    def __repr__(self) -> str:
        return "<Quantity [1., 2.] km / s>"

    __str__ = __repr__


class Wrapped(LikeAnArray):
    """As those of pint."""

    def __repr__(self) -> str:
        return "[0 1 2 3] metre"


def test_whatever_has_shape_and_type_is_an_array() -> None:
    assert text(LikeAnArray()) == (
        "LikeAnArray of shape (4,), dtype float32:\n[0.0, 1.0, 2.0, 3.0]"
    )


def test_a_value_with_a_text_of_its_own_is_that_text() -> None:
    quantity = np.array([1.0, 2.0]).view(WithUnits)
    assert text(quantity) == "<Quantity [1., 2.] km / s>"
    assert text(Wrapped()) == "[0 1 2 3] metre"
    assert text([Wrapped()]) == "[[0 1 2 3] metre]"


def test_the_class_of_arrays_is_no_array() -> None:
    assert text(np.ndarray).startswith("```python\nclass ndarray")


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def test_a_tensor_is_told_as_an_array_is(torch: Any) -> None:
    assert text(torch.tensor([[1.0, float("nan")]], requires_grad=True)) == (
        "Tensor of shape (1, 2), dtype float32, min 1.0, mean 1.0, max 1.0, "
        "1 NaN:\n[[1.0, NaN]]"
    )
    assert "bfloat16, min 0.0" in text(torch.zeros(3, dtype=torch.bfloat16))
    assert "dtype bool, 1 True" in text(torch.tensor([True, False]))


def test_only_what_is_shown_of_a_tensor_is_taken_from_its_device(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counting(call: Any) -> Any:
        def counted(tensor: Any) -> Any:
            taken.append(tensor.numel())
            return call(tensor)

        return counted

    for name in ("tolist", "item", "numpy", "cpu"):
        call = counting(getattr(torch.Tensor, name))
        monkeypatch.setattr(torch.Tensor, name, call)
    text(torch.ones(200_000))
    assert 0 < sum(taken) < 2_000
