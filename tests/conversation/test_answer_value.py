"""What an answer is worth in Python."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

from h2o_magic.chat.events import TextDelta
from h2o_magic.errors import ConfigurationError, IncompleteAnswerError
from h2o_magic.rendering.answer_text import AnswerText
from h2o_magic.rendering.json import AnswerFormatError
from tests.conversation.test_session import saying, session_with


@dataclass
class Point:
    x: float
    y: int = 0


class Film(TypedDict):
    title: str


FORM = {"type": "object", "required": ["x"]}


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ('{"x": 1}', {"schema": Point}, Point(1.0)),
        (
            'Yes:\n```json\n[{"x": 1, "y": 2}]\n```',
            {"schema": list[Point]},
            [Point(1, 2)],
        ),
        ('{"title": "It"}', {"schema": Film}, {"title": "It"}),
        ('{"x": 1}', {"schema": FORM}, {"x": 1}),
        ("[1, 2]", {"format": "json"}, [1, 2]),
        ("null", {"format": "json"}, None),
        ("Hello", {}, "Hello"),
        ('{"x": 1}', {"schema": Point, "format": "text"}, '{"x": 1}'),
    ],
)
def test_it_is_what_was_asked_for(
    text: str, options: dict[str, Any], value: object
) -> None:
    session, backend = session_with(saying(text))
    answer = session.ask("hi", model="llama-13b", **options)
    assert answer.value() == value
    assert answer.value() is answer.value()
    assert type(answer.value()) in (type(value), AnswerText)
    assert len(backend.requests) == 1
    assert answer.text == text


def test_a_text_knows_how_it_came_about() -> None:
    session, _ = session_with(saying("Hello"))
    value = session.ask("hi", model="llama-13b").value()
    assert isinstance(value, AnswerText)
    assert (value.model, value.complete, value.error) == ("llama-13b", True, "")


def test_a_table_is_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    session, _ = session_with(saying("| a | b |\n|---|---|\n| 1 | x |"))
    table = session.ask("hi", model="llama-13b", format="table").value()
    assert table.equals(pandas.DataFrame({"a": [1], "b": ["x"]}))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "schema", "words"),
    [
        ('{"y": 1}', Point, "^the answer: missing 'x'$"),
        ('{"x": "one"}', Point, "^x: expected number, got 'one'$"),
        ("no", Point, "expected JSON as the answer, got text"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    text: str, schema: object, words: str
) -> None:
    session, _ = session_with(saying(text))
    answer = session.ask("hi", model="llama-13b", schema=schema)
    with pytest.raises(AnswerFormatError, match=words):
        answer.value()
    assert answer.text == text


def test_a_schema_that_is_none_in_detail_is_told_with_the_answer() -> None:
    session, _ = session_with(saying("{}"))
    schema = {"properties": {"a": {"minimum": "1"}}}
    answer = session.ask("hi", model="llama-13b", schema=schema)
    with pytest.raises(
        ConfigurationError, match=r"properties.a.minimum: expected numb"
    ):
        answer.value()


def test_an_answer_that_was_stopped_has_no_value_but_its_text() -> None:
    session, _ = session_with(saying('{"x": 1}'), saying("Hello"))
    for schema in (Point, None):
        answer = session.ask("hi", model="llama-13b", schema=schema)
        next(iter(answer))
        answer.stop()
        if schema is None:
            assert answer.value() == "He"
            assert "stopped" in str(answer.value().error)  # type: ignore[attr-defined]
        else:
            with pytest.raises(
                AnswerFormatError, match=r"complete answer, got .* stopped"
            ):
                answer.value()


def test_an_answer_that_breaks_off_raises_as_reading_does() -> None:
    session, _ = session_with([TextDelta("{")])
    with pytest.raises(IncompleteAnswerError):
        session.ask("hi", model="llama-13b", schema=Point).value()


_ASKING = """
import sys
from tests.conversation.test_answer_value import FORM, Point, saying, session_with
for schema in (Point, FORM):
    session, _ = session_with(saying('{"x": 1}'))
    answer = session.ask("hi", model="llama-13b", schema=schema)
    next(iter(answer))
    print("jsonschema" in sys.modules)
"""


def test_jsonschema_is_not_waited_for_before_the_first_text() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKING], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
