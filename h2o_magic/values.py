"""Frozen dataclasses that are quickly made.

:mod:`dataclasses` compiles six methods for each class, which takes 0.7 ms; some forty
classes are made before a kernel's first answer, and it waits for them. Here only
``__init__`` is compiled: what compares, shows and protects the fields is the same for
all classes. For modules that the first answer needs; others take ``dataclasses``.

Not done: other options of the class than ``repr``, fields with ``init=False`` or a
``hash``, and ``InitVar``; each is a TypeError. A class without a docstring gets none.
``get_type_hints`` of an ``__init__`` does not know what its module defines below the
class; of the class it does.
"""

from __future__ import annotations

import dataclasses
import reprlib
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


class _Unset:
    """Stands in a signature for what a default factory makes."""

    def __repr__(self) -> str:
        return "<factory>"


_UNSET: Any = _Unset()
_INIT_VAR: Any = dataclasses._FIELD_INITVAR  # type: ignore[attr-defined]


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

    Raises
    ------
    TypeError
        For what :func:`dataclasses.dataclass` refuses, and for what is not done here.
    """
    if not (frozen and slots):
        raise TypeError("expected frozen=True and slots=True")

    def made(cls: type) -> type:
        space, doc = vars(cls), cls.__doc__
        for name in ("__setattr__", "__delattr__"):
            if name in space:
                raise TypeError(f"cannot overwrite {name} in class {cls.__name__}")
        methods = _METHODS if repr else _METHODS - {"__repr__"}
        missing = methods - space.keys()
        if "__eq__" in space and space["__hash__"] is None:
            missing |= {"__hash__"}  # Python made it None, not the class's author
        own_init = "__init__" in space
        # Without a docstring, the signature would be found out, which takes long.
        if doc is None:
            cls.__doc__ = cls.__name__
        cls = dataclasses.dataclass(
            cls,
            init=False,
            repr=False,
            eq=False,
            slots=True,
            # It compiles two methods, but who inherits must be as frozen as its base.
            frozen=dataclasses.is_dataclass(cls),
        )
        if doc is None:
            cls.__doc__ = None
        _check_fields(cls)
        for name in missing:
            setattr(cls, name, _SHARED[name])
        if not own_init:
            cls.__init__ = _init_of(cls)  # type: ignore[misc]
        parameters = cls.__dataclass_params__  # type: ignore[attr-defined]
        parameters.init = parameters.eq = parameters.frozen = True
        parameters.repr = repr
        return cls

    return made


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass


def _check_fields(cls: Any) -> None:
    for field in cls.__dataclass_fields__.values():
        if not field.init or field.hash is not None or field._field_type is _INIT_VAR:
            raise TypeError(
                f"expected a field without init, hash and InitVar, got {field.name!r} "
                f"in {cls.__name__}: take dataclasses.dataclass"
            )


def _init_of(cls: type) -> Callable[..., None]:
    """Return the compiled ``__init__`` of a class with fields."""
    # A copy of the module's names, for those of its annotations; what it defines later
    # is not there. To make a closure in the module itself takes a sixth longer.
    module = sys.modules.get(cls.__module__)
    space: dict[str, Any] = dict(vars(module)) if module else {}
    space["__set__"], space["__unset__"] = object.__setattr__, _UNSET
    plain: list[str] = []
    by_name: list[str] = []
    lines: list[str] = []
    annotations: dict[str, Any] = {}
    fields = dataclasses.fields(cls)
    itself = "__self__" if any(field.name == "self" for field in fields) else "self"
    optional = ""
    for field in fields:
        name = value = parameter = field.name
        annotations[name] = field.type
        if field.default is not dataclasses.MISSING:
            space[f"__default_{name}__"] = field.default
            parameter = f"{name}=__default_{name}__"
        elif field.default_factory is not dataclasses.MISSING:
            space[f"__make_{name}__"] = field.default_factory
            parameter = f"{name}=__unset__"
            value = f"__make_{name}__() if {name} is __unset__ else {name}"
        elif optional and not field.kw_only:
            raise TypeError(f"{name!r} has no default, but {optional!r} before it has")
        if field.kw_only:
            by_name.append(parameter)
        else:
            plain.append(parameter)
            optional = name if parameter != name else ""
        lines.append(f" __set__({itself}, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(f" {itself}.__post_init__()")
    taken = ", ".join([itself, *plain, *(["*", *by_name] if by_name else [])])
    source = "\n".join([f"def __init__({taken}):", *(lines or [" pass"])])
    exec(source, space)  # noqa: S102
    made: Callable[..., None] = space["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {**annotations, "return": None}
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


def _is_frozen(value: Any, name: str) -> bool:
    """Whether an attribute is a field, or the class has nothing but fields."""
    fields: dict[str, object] = value.__dataclass_fields__
    return name in fields or "__dataclass_fields__" in vars(type(value))


def _set_attribute(self: Any, name: str, value: object) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delete_attribute(self: Any, name: str) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _get_state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED: dict[str, Any] = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _set_attribute,
    "__delattr__": _delete_attribute,
    "__getstate__": _get_state,
    "__setstate__": _set_state,
}
_METHODS = frozenset(_SHARED)
