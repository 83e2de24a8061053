"""Values in a few words, for a list of variables."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from h2o_magic.prompts.glance import glance, is_figure, is_frame

FRAME = pd.DataFrame({"age": range(500), "height": 1.5})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2, 3], "list · 3"),
        (Counter("aab"), "Counter · 2"),
        (deque(range(1200)), "deque · 1,200"),
        ("a word", "str · 6 characters"),
        (b"x" * 12_400, "bytes · 12 KB"),
        (42, "int"),
        (None, "NoneType"),
        (FRAME, "DataFrame · 500 × 2"),
        (FRAME["age"], "Series · 500 int64"),
        (np.zeros((3, 4)), "ndarray · 3 × 4 float64"),
        (np.float32(1), "float32"),
        (math, "module"),
        (math.sqrt, "function"),
        (int, "class"),
    ],
)
def test_a_value_is_told_by_its_type_and_size(value: object, words: str) -> None:
    assert glance(value) == words


class Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError

    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(name)


class Trap(metaclass=Meta):
    """Raises whatever one asks of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __len__(self) -> int:
        raise RuntimeError


class Broken(list[int]):
    def __len__(self) -> int:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


class OwnShape(pd.DataFrame):
    @property
    def shape(self) -> tuple[int, int]:
        raise RuntimeError


def test_no_code_of_the_users_runs() -> None:
    assert glance(Trap()) == "Trap"
    assert glance(Trap) == "class"
    assert glance(Broken([1, 2])) == "Broken · 2"
    assert glance(OwnShape({"a": [1]})) == "OwnShape"


def test_what_would_be_computed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask.dataframe")
    lazy = dask.from_pandas(FRAME, npartitions=2)
    monkeypatch.setattr(type(lazy), "shape", property(lambda _: 1 / 0), raising=False)
    assert glance(lazy) == "DataFrame"
    assert is_frame(lazy)


def test_frames_and_figures_are_known_by_their_bases() -> None:
    assert is_frame(OwnShape({"a": [1]}))
    assert not is_frame(FRAME["age"])
    assert is_figure(Figure())
    assert not is_frame(Trap())
    assert not is_figure(Trap())
