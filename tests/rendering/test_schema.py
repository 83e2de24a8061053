"""What a user has becomes a JSON schema, and what does not fit it is told."""

from __future__ import annotations

import builtins
import json
import sys
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NewType,
    Optional,
    TypedDict,
    Union,
)
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.rendering.schema import as_schema, load, problems


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


Name = NewType("Name", str)


@dataclass
class Point:
    x: float
    y: float = 0.0


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)


@dataclass
class Everything:
    shared: ClassVar[int] = 1
    only_given: InitVar[int]
    name: Name
    colour: Colour
    level: Level
    kind: Literal["a", 1, None]
    points: list[Point]
    pair: tuple[int, str]
    many: tuple[int, ...]
    by_name: dict[str, Point]
    maybe: Optional[int]  # noqa: UP045
    either: Union[int, str]  # noqa: UP007
    new_style: float | None
    when: datetime
    day: date
    money: Decimal
    id: UUID
    marked: Annotated[int, "unit"]
    unknown: Any
    tags: set[str]
    made: int = field(init=False, default=3)
    flag: bool = False

    def __post_init__(self, only_given: int) -> None: ...


class Film(TypedDict):
    title: str
    year: int


class FilmWithNote(Film, total=False):
    note: str


def test_a_dataclass_becomes_an_object_with_its_fields_only() -> None:
    assert as_schema(Point) == {
        "title": "Point",
        "type": "object",
        "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
        "required": ["x"],
        "additionalProperties": False,
    }


def test_every_usual_type_has_its_schema() -> None:
    schema = as_schema(Everything)
    point = as_schema(Point)
    assert schema["properties"] == {
        "name": {"type": "string"},
        "colour": {"enum": ["red", "blue"]},
        "level": {"enum": [1, 2]},
        "kind": {"enum": ["a", 1, None]},
        "points": {"type": "array", "items": point},
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
        "many": {"type": "array", "items": {"type": "integer"}},
        "by_name": {"type": "object", "additionalProperties": point},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "new_style": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "when": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "money": {"type": "number"},
        "id": {"type": "string", "format": "uuid"},
        "marked": {"type": "integer"},
        "unknown": {},
        "tags": {"type": "array", "items": {"type": "string"}},
        "flag": {"type": "boolean"},
    }
    assert "flag" not in schema["required"]
    assert "name" in schema["required"]


def test_a_type_that_holds_itself_becomes_a_definition() -> None:
    schema = as_schema(Tree)
    assert schema["$ref"] == "#/$defs/Tree"
    assert schema["$defs"]["Tree"]["additionalProperties"] is False
    deep = {"value": 1, "children": [{"value": 2, "children": [{"value": "x"}]}]}
    assert problems(deep, schema) == [
        "children[0].children[0].value: expected integer, got 'x'"
    ]


def test_without_pydantic_what_only_it_can_do_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    assert as_schema(Point)["title"] == "Point"
    with pytest.raises(ConfigurationError, match="installing pydantic may help"):
        as_schema(Tree)


def test_a_model_of_pydantics_may_stand_in_another_type() -> None:
    pydantic = pytest.importorskip("pydantic")
    inner = pydantic.create_model("Inner", n=(int, ...))
    schema = as_schema(list[inner])
    assert problems([{"n": 1}], schema) == []
    assert problems([{"n": "x"}], schema) == ["[0].n: expected integer, got 'x'"]


def test_a_typed_dict_requires_what_it_says() -> None:
    schema = as_schema(FilmWithNote)
    assert schema["required"] == ["title", "year"]
    assert list(schema["properties"]) == ["title", "year", "note"]
    assert schema["additionalProperties"] is False


def test_a_list_of_a_dataclass_is_a_schema_too() -> None:
    assert as_schema(list[Point]) == {"type": "array", "items": as_schema(Point)}


def test_a_pydantic_model_gives_its_own_schema() -> None:
    pydantic = pytest.importorskip("pydantic")
    inner = pydantic.create_model("Inner", n=(int, ...))
    model = pydantic.create_model("Model", inner=(inner, ...), note=(str, ""))
    schema = as_schema(model)
    assert schema == model.model_json_schema()
    assert problems({"inner": {"n": "x"}}, schema) == [
        "inner.n: expected integer, got 'x'"
    ]


def test_a_mapping_is_taken_as_it_is_and_copied() -> None:
    given_schema = {"type": "array", "items": {"type": "integer"}}
    schema = as_schema(given_schema)
    assert schema == given_schema
    assert schema is not given_schema


class Odd:
    pass


@dataclass
class WithOdd:
    it: Odd


@dataclass
class WithUnknown:
    it: Missing  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (3, "got a value of type int"),
        ("Point", "got a value of type str"),
        (None, "got a value of type NoneType"),
        (Odd, "got Odd"),
        (int, "got int"),
        (Point(1), "got a value of type Point"),
        (list[Odd], "JSON has no type for Odd"),
        (Literal[b"x"], "of JSON values"),
        (WithOdd, "WithOdd has no JSON schema: JSON has no type for Odd"),
        (WithUnknown, "'Missing' is not defined"),
        ({"type": "nonsense"}, "expected a valid JSON schema: type: "),
        ({"items": {"type": "strng"}}, "items.type: .* did you mean 'string'"),
        ({"anyOf": [{}, {"type": "int"}]}, r"anyOf\[1\].type: .* 'integer'"),
        ({"$defs": {"a": {"type": ["null", 1]}}}, r"\$defs.a.type: .*, got 1"),
        ({"x": object()}, "of JSON values"),
        ({"x": float("nan")}, "of JSON values"),
    ],
)
def test_what_is_no_schema_is_told_in_one_line(source: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        as_schema(source)
    assert "\n" not in str(caught.value)


def test_a_model_whose_schema_cannot_be_made_is_told() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model(
        "Model", it=(Odd, ...), __config__={"arbitrary_types_allowed": True}
    )
    with pytest.raises(ConfigurationError, match="Model has no JSON schema") as caught:
        as_schema(model)
    assert "\n" not in str(caught.value)


def test_a_file_holds_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"type": "integer"}), "utf-8-sig")
    assert load(path) == {"type": "integer"}


@pytest.mark.parametrize(
    ("text", "words"), [("{", "expected JSON"), ("[1]", "got a list")]
)
def test_a_file_without_a_schema_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="neither a variable nor a file"):
        load(tmp_path / "none.json")
    for name in (tmp_path, "x" * 300):
        with pytest.raises(ConfigurationError, match="cannot read the schema"):
            load(name)
    with pytest.raises(ConfigurationError, match="neither a variable nor a file"):
        load("~no-such-user/schema.json")


ROWS = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "minimum": 0, "maximum": 150},
                    "first name": {"type": "string", "pattern": "^[A-Z]"},
                    "kind": {"enum": ["a", "b"]},
                    "when": {"type": "string", "format": "date"},
                    "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                },
                "required": ["age"],
                "additionalProperties": False,
            },
        }
    },
}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"age": "x"}, "rows[0].age: expected integer, got 'x'"),
        ({"age": None}, "rows[0].age: expected integer, got null"),
        ({"age": True}, "rows[0].age: expected integer, got true"),
        ({"age": [1]}, "rows[0].age: expected integer, got a list"),
        ({"age": -1}, "rows[0].age: expected at least 0, got -1"),
        ({"age": 151}, "rows[0].age: expected at most 150, got 151"),
        ({}, "rows[0]: missing 'age'"),
        (
            {"age": 1, "first name": "x"},
            "rows[0]['first name']: expected text matching '^[A-Z]', got 'x'",
        ),
        ({"age": 1, "kind": "c"}, "rows[0].kind: expected one of 'a', 'b', got 'c'"),
        (
            {"age": 1, "when": "soon"},
            "rows[0].when: expected the format 'date', got 'soon'",
        ),
        (
            {"age": 1, "maybe": "x"},
            "rows[0].maybe: expected integer or null, got 'x'",
        ),
        (3, "rows[0]: expected object, got 3"),
    ],
)
def test_a_problem_is_told_with_its_exact_place(row: object, problem: str) -> None:
    assert problems({"rows": [row]}, ROWS) == [problem]


def test_a_key_too_many_is_named() -> None:
    (problem,) = problems({"rows": [{"age": 1, "extra": 2}]}, ROWS)
    assert problem.startswith("rows[0]: ")
    assert "'extra'" in problem


def test_the_branch_that_was_meant_is_told_of() -> None:
    branches = [
        {"properties": {"k": {"const": "a"}, "n": {"type": "integer"}}},
        {"properties": {"k": {"const": "b"}, "n": {"type": "string"}}},
    ]
    assert problems({"k": "b", "n": 1}, {"anyOf": branches}) == [
        "n: expected string, got 1"
    ]


def test_the_whole_answer_has_a_name() -> None:
    assert problems([], {"type": "object"}) == [
        "the answer: expected object, got a list"
    ]


def test_what_fits_has_no_problems_and_what_does_not_at_most_ten() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert problems([1, 2], schema) == []
    found = problems(["x"] * 50, schema)
    assert len(found) == 10
    assert found[:2] == [f"[{n}]: expected integer, got 'x'" for n in range(2)]


def test_what_a_schema_gets_wrong_in_detail_is_told_with_the_answer() -> None:
    wrong = as_schema({"properties": {"a": {"minimum": "1"}}})
    with pytest.raises(
        ConfigurationError,
        match=r"valid JSON schema: properties.a.minimum: expected number, got '1'",
    ):
        problems({"a": 1}, wrong)


@pytest.mark.parametrize(
    "schema",
    [
        {"items": [{"type": "integer"}, True], "additionalProperties": False},
        {"properties": {"type": {"enum": [{"type": "a"}]}, "items": {}}},
        {"$schema": "http://json-schema.org/draft-04/schema#", "title": "x"},
    ],
)
def test_what_is_a_schema_is_not_refused(schema: dict[str, object]) -> None:
    assert as_schema(schema) == schema


def test_nothing_that_a_schema_refers_to_is_fetched() -> None:
    with pytest.raises(ConfigurationError, match="refers to something"):
        problems(1, {"$ref": "http://127.0.0.1:9/schema.json"})


def test_without_jsonschema_the_missing_part_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    for ask in (lambda: as_schema(Point), lambda: problems(1, {})):
        with pytest.raises(MissingExtraError, match=r"run `pip install .*jsonschema"):
            ask()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON)
def test_every_problem_is_one_line(value: object) -> None:
    found = problems(value, ROWS) + problems(value, as_schema(list[Point]))
    assert all("\n" not in line and ": " in line for line in found)


def test_importing_it_imports_no_jsonschema(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        assert name.partition(".")[0] not in ("jsonschema", "pydantic", "referencing")
        return original(name, *rest)

    for name in ("h2o_magic.rendering.schema", "h2o_magic.rendering.type_schema"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    __import__("h2o_magic.rendering.schema")
    __import__("h2o_magic.rendering.type_schema")
