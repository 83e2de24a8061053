"""Kinds of values, recognized without importing their packages."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

Parts = list[tuple[str, object]]


def is_from(value: object, package: str, *names: str) -> bool:
    """Return whether a value's type, or a base of it, is from a package."""
    return any(
        kind.__module__.partition(".")[0] == package
        and (not names or kind.__name__ in names)
        for kind in type(value).__mro__
    )


def attributes(value: object) -> dict[str, object]:
    """Return an object's attributes, also those in slots."""
    slots: dict[str, object] = {}
    for kind in type(value).__mro__:
        for name, member in vars(kind).items():
            if isinstance(member, types.MemberDescriptorType):
                with suppress(AttributeError):  # the slot is empty
                    slots[name] = member.__get__(value, kind)
    return slots | dict(getattr(value, "__dict__", {}))


def describes_itself(value: object) -> bool:
    """Return whether a value's type has a text of its own, beyond its address."""
    kind = type(value)
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def named_parts(value: object) -> Parts | None:
    """Return the fields of a record (dataclass, model, named tuple), None for others.

    Fields that are not in its repr are left out. A record with a repr of its own counts
    as another value: it may hide something.
    """
    kind = type(value)
    if isinstance(value, tuple):
        names = getattr(kind, "_fields", None)
        return list(zip(names, value, strict=True)) if names else None
    if not _repr_is_generated(kind):
        return None
    return list(_fields(value))


def _repr_is_generated(kind: type[Any]) -> bool:
    if dataclasses.is_dataclass(kind):
        written = inspect.unwrap(kind.__repr__)
        code = getattr(written, "__code__", None)
        return written is object.__repr__ or (
            code is not None and code.co_filename == "<string>"
        )
    if hasattr(kind, "__attrs_attrs__"):
        code = getattr(kind.__repr__, "__code__", None)
        return code is not None and code.co_filename.startswith("<attrs")
    if getattr(kind.__repr__, "__module__", "") == "pydantic.main":
        return True
    return f"{kind.__module__}.{kind.__qualname__}" in {
        "types.SimpleNamespace",
        "argparse.Namespace",
    }


def _fields(value: object) -> Iterator[tuple[str, object]]:
    kind: Any = type(value)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind) if field.repr]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__ if field.repr]
    else:
        hidden = {
            name
            for name, field in getattr(kind, "model_fields", {}).items()
            if getattr(field, "repr", True) is False
        }
        names = [name for name in vars(value) if name not in hidden]
    for name in names:
        if hasattr(value, name):
            yield name, getattr(value, name)
