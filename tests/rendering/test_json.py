"""The JSON of an answer is found, whatever a model put around it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.errors import H2OMagicError
from h2o_magic.rendering.json import AnswerFormatError, find_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
).filter(lambda value: "Infinity" not in json.dumps(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("  \n[1, 2]\n", [1, 2]),
        ('Sure! Here it is:\n```json\n{"a": 1}\n```\nAnything else?', {"a": 1}),
        ("```\n[1]\n```", [1]),
        ("```py\nx = {}\n```\n```json\n[2]\n```", [2]),
        ('See [1] for it: {"a": [1, 2]}. Bye', {"a": [1, 2]}),
        ('{x} is {"a": {"b": "}"}}', {"a": {"b": "}"}}),
        ("12", 12),
        ('"é☃"', "é☃"),
        ("null", None),
    ],
)
def test_it_is_found_among_words(text: str, value: object) -> None:
    assert find_json(text) == value


@given(JSON)
def test_every_value_comes_out_as_it_went_in(value: object) -> None:
    plain = json.loads(json.dumps(value))
    assert find_json(json.dumps(value)) == plain
    assert find_json(f"Here:\n\n```json\n{json.dumps(value, indent=1)}\n```") == plain
    assert find_json(f"It is {json.dumps([value])} as wanted.") == [plain]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I cannot do that.", r"got text \("),
        ("", "got an empty answer"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6"),
        ('Look:\n```json\n{"a": tru}\n```', "line 3, column 7"),
        ('Here: {"a": [1, 2', "it may be cut off"),
        ("NaN", "NaN is not a JSON value"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(AnswerFormatError, match=words) as caught:
        find_json(text)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, H2OMagicError)
    assert isinstance(caught.value, ValueError)


@given(st.text(st.sampled_from('{}[]",:1 `\nx\\'), max_size=80))
def test_any_text_has_json_or_the_one_error(text: str) -> None:
    with suppress(AnswerFormatError):
        find_json(text)
