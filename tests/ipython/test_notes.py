"""What a panel says of a question while it is typed."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pandas as pd
import polars as pl
import pytest

from h2o_magic.ipython.reader import NamesReader
from h2o_magic.ipython.scope import Scope


class Costly:
    """A value whose properties and items nobody may read for a note."""

    plain = 1
    read = 0

    @property
    def slow(self) -> int:
        Costly.read += 1
        raise AttributeError("slow")

    def __getitem__(self, key: object) -> int:
        Costly.read += 1
        raise KeyError(key)

    def __repr__(self) -> str:
        Costly.read += 1
        return "Costly()"


class Dynamic:
    def __getattr__(self, name: str) -> int:
        raise AttributeError(name)


VALUES: dict[str, Any] = {
    "df": pd.DataFrame({"price": [1, 2]}),
    "d": {"key": {"inner": 1}},
    "made": defaultdict(list),
    "costly": Costly(),
    "dynamic": Dynamic(),
    "x": 2,
    "wide": pd.DataFrame({"price": range(1000)}),
    "lazy": pl.DataFrame({"price": [1]}).lazy(),
}


def notes(question: str, *, evaluates: bool = False) -> list[str]:
    scope = Scope(SimpleNamespace(user_ns=VALUES))
    return NamesReader(scope, evaluates=evaluates).notes(question)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What is {dff} here?", "`{dff}` is not a variable"),
        ("Why {df.colums}?", "DataFrame has no attribute 'colums'"),
        ("Why {d['key']['outer']}?", "dict has no key 'outer'"),
        ("Why {costly.plan}?", "Costly has no attribute 'plan': did you mean 'plain'"),
        ("Is {df:shema} right?", "did you mean `{df:schema}`?"),
        ("What is {x + 1} here?", "is not evaluated: `evaluate` in the settings does"),
    ],
)
def test_what_stays_or_is_refused_is_told(question: str, told: str) -> None:
    (note,) = notes(question)
    assert told in note


@pytest.mark.parametrize(
    "question",
    [
        "What is {df}, {df.price}, {d['key']['inner']} and {x}?",
        "What is {costly}, {costly.slow}, {costly[0]} and {dynamic.any}?",
        "And {made['new']}?",
        "```\n{dff}\n```",
    ],
)
def test_what_is_sent_or_cannot_be_known_is_not(question: str) -> None:
    assert notes(question) == []
    assert Costly.read == 0
    assert VALUES["made"] == {}


@pytest.mark.parametrize(
    ("question", "tokens"),
    [
        ("What is {df} and {df.price}?", 2 * (40 + 25 + 2 * 4)),
        ("What is {wide}?", 1000),
        ("What is {lazy}?", 1000),
        ("What is {d} and {x}?", 8 + 4),
        ("What is {text}?", 1000),
        ("And {costly}?", 1000),
        ("And {costly.slow}, {costly[0]}, {nobody}, {df.nothing}, {x + 1}?", 0),
        ("```\n{df}\n```", 0),
    ],
)
def test_values_are_weighed_without_their_code(question: str, tokens: int) -> None:
    scope = Scope(SimpleNamespace(user_ns=VALUES | {"text": "abc" * 1000}))
    assert NamesReader(scope, evaluates=True).weigh(question, 1000) == tokens
    assert Costly.read == 0


def test_nothing_is_evaluated_for_a_note() -> None:
    assert notes("What is {1 / x + df.nothing()} here?", evaluates=True) == []


def test_a_note_shows_no_key_of_a_server() -> None:
    scope = Scope(SimpleNamespace(user_ns={"names": {"labkey-1f2e3d4c5b6a": 1}}))
    reader = NamesReader(scope, lambda: ["labkey-1f2e3d4c5b6a"], evaluates=False)
    (note,) = reader.notes("Why {names['lab']}?")
    assert "dict has no key 'lab'" in note
    assert "1f2e3d4c5b6a" not in note
