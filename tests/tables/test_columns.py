"""New columns: their names, what kind each is, and what of an answer stands in it."""

from __future__ import annotations

import enum
import json
from typing import Any, Optional

import pydantic
import pytest

from h2o_magic.rendering.schema import as_schema
from h2o_magic.tables.columns import AnswerColumns


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Level(enum.IntEnum):
    LOW = 1


class Inner(pydantic.BaseModel):
    x: int


class Rating(pydantic.BaseModel):
    why: str
    stars: int
    share: float | None
    sure: Optional[bool] = None  # noqa: UP045 - as people write it
    count: Optional[int] = None  # noqa: UP045
    mood: Mood
    maybe: Mood | None
    level: Level
    either: int | float
    mixed: int | str
    tags: list[str]
    inner: Inner | None


def test_properties_are_columns_in_order_and_of_their_kinds() -> None:
    found = AnswerColumns(as_schema(Rating), ["text"]).kinds
    assert dict(found) == {
        "why": "text",
        "stars": "integer",
        "share": "number",
        "sure": "boolean",
        "count": "integer",
        "mood": "text",
        "maybe": "text",
        "level": "integer",
        "either": "number",
        "mixed": "object",
        "tags": "object",
        "inner": "object",
        "error": "text",
    }
    assert list(found)[:-1] == list(Rating.model_fields)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": ["boolean", "null"]}, "boolean"),
        ({"type": ["integer", "number"]}, "number"),
        ({"type": ["integer", "string"]}, "object"),
        ({"enum": ["a", "b", None]}, "text"),
        ({"enum": [1, "b"]}, "object"),
        ({"const": 1}, "integer"),
        ({"const": True}, "boolean"),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"$ref": "#/$defs/N", "$defs": {"N": {"type": "number"}}}, "number"),
        ({"$ref": "#/$defs/none"}, "object"),
        ({"$ref": "#"}, "object"),
        ({"$ref": "https://example.org/schema"}, "object"),
        ({"type": "array"}, "object"),
        ({"type": "object"}, "object"),
        (True, "object"),
    ],
)
def test_other_schemas_are_a_column_of_their_kind(schema: Any, kind: str) -> None:
    whole = {"type": "object", "properties": {"p": schema}}
    whole["$defs"] = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    assert AnswerColumns(whole, []).kinds["p"] == kind
    if isinstance(schema, dict):
        assert AnswerColumns(schema, []).kinds == {"answer": kind, "error": "text"}


def test_a_schema_that_is_a_reference_has_the_properties_of_what_it_means() -> None:
    class Node(pydantic.BaseModel):
        name: str
        child: Node | None

    Node.model_rebuild(_types_namespace={"Node": Node})
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": as_schema(Node)}}
    assert list(AnswerColumns(schema, []).kinds) == ["name", "child", "error"] or (
        "$defs" in as_schema(Node)
    )


def test_without_a_schema_the_answer_is_text() -> None:
    columns = AnswerColumns(None, ["text"])
    assert columns.kinds == {"answer": "text", "error": "text"}
    assert columns.values("fine", None) == ("fine", None)
    assert columns.values(None, "refused") == (None, "refused")


def test_a_name_that_differs_in_its_case_is_another_one_everywhere() -> None:
    assert list(AnswerColumns(None, ["Answer"]).kinds) == ["answer_answer", "error"]


def test_names_that_the_table_has_already_get_more() -> None:
    schema = {"properties": {"error": {}, "text": {}, "text_answer": {}}}
    names = ["text", "answer", "error"]
    assert list(AnswerColumns(schema, names).kinds) == [
        "error_answer",
        "text_answer",
        "text_answer_answer",
        "error_answer_answer",
    ]
    assert list(AnswerColumns(None, names).kinds) == ["answer_answer", "error_answer"]


PROPERTIES: dict[str, Any] = {
    "n": {"type": "integer"},
    "x": {"type": "number"},
    "t": {"type": "string"},
    "o": {},
}


def values(error: str | None = None, **answer: object) -> tuple[object, ...]:
    columns = AnswerColumns({"properties": PROPERTIES}, [])
    return columns.values(json.dumps(answer), error)


def test_values_are_of_their_columns_types() -> None:
    found = values(n=3.0, x=2, t="a", o=[1])
    assert found == (3, 2.0, "a", [1], None)
    assert [type(value) for value in found[:2]] == [int, float]
    assert values() == (None, None, None, None, None)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_a_number_that_no_column_holds_is_missing_and_said(number: int) -> None:
    found = values(n=number, t="kept")
    assert found[0] is None
    assert found[2] == "kept"
    assert found[4] == "n: the number is too large for a column (64 bits)"
    assert values(n=2**63 - 1)[0] == 2**63 - 1
    assert "x: " in str(values(x=10**400)[4])
    columns = AnswerColumns({"properties": PROPERTIES}, [])
    infinite = columns.values('{"x": 1e400}', None)
    assert infinite[1] is None
    assert infinite[4] == "x: the number is too large for a column (64 bits)"


def test_halves_of_characters_do_not_reach_a_table() -> None:
    assert values(t="\ud83d half")[2] == "? half"
    columns = AnswerColumns(None, [])
    assert columns.values("\ud83d", None) == ("?", None)
    assert columns.values(None, "\udcff ä") == (None, "? ä")


def test_an_answer_that_is_null_is_missing_everywhere() -> None:
    schema = {"type": ["object", "null"], "properties": {"n": {"type": "integer"}}}
    assert AnswerColumns(schema, []).values("null", None) == (None, None)
