"""Values reached without running code of the user's.

Properties are read, and ``__getitem__`` is called, only of the libraries whose tables
and arrays people ask about.
"""

from __future__ import annotations

import inspect
import types
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

from h2o_magic.prompts.fields import Attribute, Field, Step, fields

#: Libraries whose properties and keys are safe to read.
_TRUSTED = {"numpy", "pandas", "polars"}
#: Descriptors that run no code of the user's.
_PLAIN = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    classmethod,
    staticmethod,
    type,
)


class Unknown:
    """Stands for a value that does not exist, or is not read."""


def value_at(path: str, namespace: Mapping[str, Any]) -> object:
    """Return what a path leads to, or `Unknown`."""
    field = next(fields(f"{{{path}}}"), None)
    with suppress(Exception):
        if isinstance(field, Field):
            return reduce(_led_to, field.path, namespace[field.name])
    return Unknown


def _led_to(owner: Any, step: Step) -> Any:
    """Return what a step leads to; `Unknown` where that could run the user's code."""
    kind: Any = type(owner)
    if isinstance(step, Attribute):
        static = static_attribute(owner, step.name)
        harmless = _is_plain(static)
        if static is Unknown:
            own = kind.__getattribute__ is not object.__getattribute__
            harmless = not own and not hasattr(kind, "__getattr__")
        if harmless or is_trusted(owner):
            return getattr(owner, step.name)
    elif kind in (dict, OrderedDict, list, tuple, str) or is_trusted(owner):
        return owner[step.key]
    return Unknown


def _is_plain(static: object) -> bool:
    return isinstance(static, _PLAIN) or not hasattr(type(static), "__get__")


def static_attribute(owner: object, name: str) -> object:
    """Return an attribute as it is kept, without reading it."""
    return inspect.getattr_static(owner, name, Unknown)


def is_trusted(owner: object) -> bool:
    return type(owner).__module__.partition(".")[0] in _TRUSTED


def runs_no_code(value: Any, path: Iterable[Step]) -> bool:
    """Return whether a path from a value can be followed without the user's code."""
    for step in path:
        try:
            value = _led_to(value, step)
        except Exception:
            return True  # that is what it leads to
        if value is Unknown:
            return False
    return True
