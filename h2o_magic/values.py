"""Frozen dataclasses that are quickly made.

:mod:`dataclasses` compiles six methods for each class, which takes 0.7 ms; some forty
classes are made before a kernel's first answer, and it waits for them. Here only
``__init__`` is compiled: what compares, shows and protects the fields is the same for
all classes. For modules that the first answer needs; others take ``dataclasses``.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

_UNSET: Any = object()


def _dataclass(
    *,
    frozen: bool,
    slots: bool,
    repr: bool = True,  # noqa: A002 - its name there
) -> Callable[[type], type]:
    """Make a class a dataclass, as :func:`dataclasses.dataclass` does.

    Parameters
    ----------
    frozen, slots
        True; for others this is of no use.
    repr
        False keeps the class's own way to show itself.
    """
    if not (frozen and slots):
        raise TypeError("expected frozen=True and slots=True")

    def made(cls: type) -> type:
        methods = _METHODS if repr else _METHODS - {"__repr__"}
        own = vars(cls).keys() & methods
        cls = dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=True)
        for name in methods - own:
            setattr(cls, name, _SHARED[name])
        cls.__init__ = _init_of(cls)  # type: ignore[misc]
        return cls

    return made


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass


def _init_of(cls: type) -> Callable[..., None]:
    """Return the compiled ``__init__`` of a class with fields."""
    space: dict[str, Any] = {"_set": object.__setattr__, "_unset": _UNSET}
    plain: list[str] = []
    by_name: list[str] = []
    lines: list[str] = []
    for field in dataclasses.fields(cls):
        name = value = parameter = field.name
        if field.default is not dataclasses.MISSING:
            space[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            space[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_unset"
            value = f"_make_{name}() if {name} is _unset else {name}"
        (by_name if field.kw_only else plain).append(parameter)
        lines.append(f" _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    given = ", ".join(["self", *plain, *(["*", *by_name] if by_name else [])])
    exec("\n".join([f"def __init__({given}):", *(lines or [" pass"])]), space)  # noqa: S102
    made: Callable[..., None] = space["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


@cache
def _compared(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls) if field.compare)


def _values(value: Any) -> tuple[object, ...]:
    return tuple(getattr(value, name) for name in _compared(value.__class__))


def _eq(self: Any, other: Any) -> object:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = (
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, value: object = None) -> NoReturn:  # noqa: ARG001
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _get_state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED: dict[str, Any] = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _get_state,
    "__setstate__": _set_state,
}
_METHODS = frozenset(_SHARED)
