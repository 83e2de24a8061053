"""A JSON value becomes an object of the type that was asked for."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, NewType, Optional, TypedDict
from uuid import UUID

import pytest

from h2o_magic.rendering.json import AnswerFormatError
from h2o_magic.rendering.typed_value import as_typed

Name = NewType("Name", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Town:
    name: str
    rain: float = 0.0


@dataclass
class Note:
    text: str


class Film(TypedDict, total=False):
    title: str
    seen: dt.date


@dataclass(kw_only=True)
class Person:
    name: Name
    born: dt.date
    town: Town
    trips: list[Town] = field(default_factory=list)
    boss: Optional[Person] = None  # noqa: UP045
    colour: Colour = Colour.RED
    kind: Literal["a", 1, True] = "a"
    seen: dt.datetime | None = None
    at: dt.time | None = None
    pair: tuple[int, Town] | None = None
    tags: frozenset[str] = frozenset()
    by_name: dict[str, Town] = field(default_factory=dict)
    either: Note | Town | str = ""
    money: Decimal = Decimal(0)
    id: UUID | None = None
    film: Film | None = None
    anything: Any = None
    made: int = field(init=False, default=3)


ADA: dict[str, Any] = {"name": "Ada", "born": "1815-12-10", "town": {"name": "London"}}


@pytest.fixture(params=["with pydantic", "without pydantic"])
def pydantic_or_not(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pydantic, which the usual types do without."""
    if request.param == "without pydantic":
        monkeypatch.setitem(sys.modules, "pydantic", None)


@pytest.mark.usefixtures("pydantic_or_not")
def test_a_dataclass_is_built_with_all_that_is_in_it() -> None:
    given = ADA | {
        "trips": [{"name": "Paris", "rain": 3}],
        "boss": ADA,
        "colour": "blue",
        "kind": True,
        "seen": "2024-05-01T10:00:00Z",
        "at": "10:30:00",
        "pair": [1.0, {"name": "Rome"}],
        "tags": ["a", "a"],
        "by_name": {"x": {"name": "Oslo"}},
        "either": {"name": "Bern"},
        "money": 1.1,
        "id": "12345678-1234-5678-1234-567812345678",
        "film": {"title": "It", "seen": "2000-01-02"},
        "anything": [{"a": None}],
    }
    ada = Person(name=Name("Ada"), born=dt.date(1815, 12, 10), town=Town("London"))
    person = as_typed(given, Person)
    assert person == Person(
        name=Name("Ada"),
        born=dt.date(1815, 12, 10),
        town=Town("London"),
        trips=[Town("Paris", 3.0)],
        boss=ada,
        colour=Colour.BLUE,
        kind=True,
        seen=dt.datetime(2024, 5, 1, 10, tzinfo=dt.timezone.utc),
        at=dt.time(10, 30),
        pair=(1, Town("Rome")),
        tags=frozenset({"a"}),
        by_name={"x": Town("Oslo")},
        either=Town("Bern"),
        money=Decimal("1.1"),
        id=UUID("12345678-1234-5678-1234-567812345678"),
        film={"title": "It", "seen": dt.date(2000, 1, 2)},
        anything=[{"a": None}],
    )
    assert person.kind is True
    assert type(person.trips[0].rain) is float
    assert type(person.pair[0]) is int
    assert as_typed(ADA, Person) == ada


@pytest.mark.usefixtures("pydantic_or_not")
@pytest.mark.parametrize(
    ("value", "kind", "made"),
    [
        ([{"name": "Rome"}], list[Town], [Town("Rome")]),
        ({"a": {"name": "Rome"}}, dict[str, Town], {"a": Town("Rome")}),
        ([1, 2], tuple[int, ...], (1, 2)),
        (2.5, int | float, 2.5),
        (True, int | bool, True),
        ("soon", dt.date | str, "soon"),
        ("2024-01-02", Optional[dt.date], dt.date(2024, 1, 2)),  # noqa: UP045
        ({"title": "It"}, Film, {"title": "It"}),
        ({"x": [1]}, None, {"x": [1]}),
    ],
)
def test_a_value_is_of_its_type(value: object, kind: Any, made: object) -> None:
    built = as_typed(value, kind)
    assert built == made
    assert type(built) is type(made)


class Place(NamedTuple):
    name: str
    rain: float


@dataclass
class Checked:
    n: int

    def __post_init__(self) -> None:
        if self.n % 2:
            raise ValueError(f"{self.n} is odd")


@pytest.mark.usefixtures("pydantic_or_not")
@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (ADA | {"born": "soon"}, Person, "^born: expected a value for date: "),
        (ADA | {"boss": ADA | {"born": "soon"}}, Person, r"^boss\.born: expected a"),
        ([{"n": 2}, {"n": 3}], list[Checked], r"^\[1\]: .* Checked: 3 is odd"),
    ],
)
def test_what_cannot_be_made_is_told_with_its_place(
    value: object, kind: Any, words: str
) -> None:
    with pytest.raises(AnswerFormatError, match=words) as caught:
        as_typed(value, kind)
    assert "\n" not in str(caught.value)


def test_a_pydantic_model_is_made_by_its_own_rules() -> None:
    pydantic = pytest.importorskip("pydantic")

    def even(n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n

    kind = pydantic.create_model(
        "Kind",
        __config__={"strict": True},
        n=(pydantic.conint(ge=0), ...),
        day=(dt.date, ...),
        __validators__={"even": pydantic.field_validator("n")(even)},
    )
    made = as_typed({"n": 2, "day": "2024-01-02"}, kind)
    assert isinstance(made, kind)
    assert (made.n, made.day) == (2, dt.date(2024, 1, 2))
    (inner,) = as_typed([{"n": 4, "day": "2024-01-02"}], list[kind])
    assert isinstance(inner, kind)
    with pytest.raises(AnswerFormatError, match=r"Kind: n: .*odd"):
        as_typed({"n": 3, "day": "2024-01-02"}, kind)


def test_an_unusual_type_is_made_by_pydantic() -> None:
    pytest.importorskip("pydantic")
    assert as_typed([["Rome", 1]], list[Place]) == [Place("Rome", 1.0)]
