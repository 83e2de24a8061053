"""Quickly made dataclasses are what `dataclasses` makes, as far as they can be told."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing
from collections.abc import Callable
from dataclasses import field, fields, replace
from typing import Any

import pytest

from h2o_magic import values


def made_by(dataclass: Any) -> Any:
    @dataclass(frozen=True, slots=True)
    class Point:
        """A place."""

        x: int
        y: int = 0
        names: list[str] = field(default_factory=list)
        hidden: int = field(default=1, repr=False, compare=False)
        by_name: int = field(default=2, kw_only=True)

        @property
        def sum(self) -> int:
            return self.x + self.y

    return Point


def inheriting(base: Any, *, frozen: bool) -> Any:
    @dataclasses.dataclass(frozen=frozen)
    class Inherits(base):  # type: ignore[misc]
        more: int = 0

    return Inherits


def maker_of(made: Any) -> Any:
    return values.dataclass if made is QUICK else dataclasses.dataclass


def own_way(made: Any) -> Any:
    @maker_of(made)(frozen=True, slots=True)
    class Same:  # noqa: PLW1641 - who makes it decides
        """One that is equal to all."""

        x: int

        def __eq__(self, other: object) -> bool:
            return True

    return Same


def badly_ordered(made: Any) -> Any:
    @maker_of(made)(frozen=True, slots=True)
    class Bad:
        """One whose second field must be given, but not its first."""

        x: int = 0
        y: int  # type: ignore[misc]

    return Bad


QUICK, USUAL = made_by(values.dataclass), made_by(dataclasses.dataclass)


@values.dataclass(frozen=True, slots=True)
class Checked:
    """One that checks what it is given."""

    above: int

    def __post_init__(self) -> None:
        if self.above <= 0:
            raise ValueError("not above 0")


@pytest.mark.parametrize(
    "call",
    [
        lambda c: repr(c(1, 2, names=["a"], by_name=3)),
        lambda c: c(1).sum,
        lambda c: c(1, 2) == c(1, 2, hidden=9),
        lambda c: c(1, 2) == c(1, 3),
        lambda c: c(1) == (1, 0, [], 1, 2),
        lambda c: c(float("nan")) == c(float("nan")),
        lambda c: hash(c(1, names=())),
        lambda c: c.__match_args__,
        lambda c: [f.name for f in fields(c)],
        lambda c: repr(replace(c(1, 2), x=5)),
        lambda c: repr(copy.deepcopy(c(1, names=["a"]))),
        lambda c: dataclasses.asdict(c(1)),
        lambda c: hasattr(c(1), "__dict__"),
        lambda c: c(1).names is c(1).names,
        lambda c: str(inspect.signature(c)),
        lambda c: typing.get_type_hints(c.__init__),
        lambda c: (c.__init__.__module__, c.__init__.__qualname__),
        lambda c: repr(c.__dataclass_params__),
        lambda c: repr(inheriting(c, frozen=True)(1, more=2)),
        lambda c: hash(inheriting(c, frozen=True)(1, names=())),
        lambda c: hash(own_way(c)(1)) == hash(own_way(c)(1)),
        lambda c: own_way(c)(1) == own_way(c)(2),
    ],
)
def test_they_do_the_same(call: Callable[[Any], object]) -> None:
    assert call(QUICK) == call(USUAL)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c(),
        lambda c: c(1, 2, [], 1, 2),
        lambda c: c(1, z=2),
        lambda c: setattr(c(1), "x", 2),
        lambda c: delattr(c(1), "x"),
        lambda c: hash(c(1)),
        lambda c: inheriting(c, frozen=False),
        badly_ordered,
    ],
)
def test_they_refuse_the_same(call: Callable[[Any], object]) -> None:
    with pytest.raises((TypeError, AttributeError)) as usual:
        call(USUAL)
    with pytest.raises(usual.type):
        call(QUICK)


def test_what_is_given_is_checked() -> None:
    assert Checked(1).above == 1
    with pytest.raises(ValueError, match="not above 0"):
        Checked(0)


def test_one_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Checked(2))) == Checked(2)


def test_one_that_holds_itself_can_be_shown() -> None:
    names: list[Any] = []
    point = QUICK(1, names=names)
    names.append(point)
    assert "..." in repr(point)


def test_a_way_to_show_itself_is_kept() -> None:
    @values.dataclass(frozen=True, slots=True, repr=False)
    class Secret:
        """One that shows nothing."""

        key: str

        def __repr__(self) -> str:
            return "Secret(***)"

    assert repr(Secret("k")) == "Secret(***)"
    assert Secret("k") == Secret("k")


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        ("int", field(default=1, init=False)),
        ("int", field(default=1, hash=False)),
        ("dataclasses.InitVar[int]", 1),
    ],
)
def test_what_is_not_done_is_refused(annotation: str, given: Any) -> None:
    space = {"__annotations__": {"x": annotation}, "x": given, "__module__": __name__}
    with pytest.raises(TypeError, match="'x'"):
        values.dataclass(frozen=True, slots=True)(type("Point", (), space))


def test_one_can_inherit_from_another() -> None:
    @values.dataclass(frozen=True, slots=True)
    class More(Checked):
        """One with a field more."""

        self: int = 0

    assert repr(More(1, 2)).endswith("More(above=1, self=2)")
    with pytest.raises(ValueError, match="not above 0"):
        More(0)
