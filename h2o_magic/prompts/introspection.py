"""What kinds of values there are, told without importing the packages they are from."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

Parts = list[tuple[str, object]]


def is_from(value: object, package: str, *names: str) -> bool:
    """Return whether a value's type, or one it comes from, is one of a package's."""
    return any(
        kind.__module__.partition(".")[0] == package
        and (not names or kind.__name__ in names)
        for kind in type(value).__mro__
    )


def attributes(value: object) -> dict[str, object]:
    """Return what an object keeps under names, also in its slots."""
    kept: dict[str, object] = {}
    for kind in type(value).__mro__:
        for name, member in vars(kind).items():
            if isinstance(member, types.MemberDescriptorType):
                with suppress(AttributeError):  # nothing is kept there
                    kept[name] = member.__get__(value, kind)
    return kept | dict(getattr(value, "__dict__", {}))


def describes_itself(value: object) -> bool:
    """Return whether a value's type says how it is written, beyond its address."""
    kind = type(value)
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def named_parts(value: object) -> Parts | None:
    """Return the fields of a record (dataclass, model, named tuple), None for others.

    Fields that its class leaves out of the repr are left out, and a record that writes
    its own repr is none: it may hide something.
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
