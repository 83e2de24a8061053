"""Names inside ``{`` in a question: variables, their attributes and their keys.

No code of the user's may run: properties are read, and ``__getitem__`` is called, only
of the libraries whose tables and arrays people ask about.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from h2o_magic.ipython.completion.cursor import Offer, Prompt
from h2o_magic.prompts.fields import Attribute, Step, names_in

_NAME = r"[^\W\d]\w*"
_ITEM = r"\[(?:-?\d+|'[^'\n]*'|\"[^\"\n]*\")\]"
_PATH = rf"{_NAME}(?:\.{_NAME}|{_ITEM})*"
#: An expression that ends at the cursor, from its brace on.
_FIELD = re.compile(
    rf"""(?<!\{{)\{{(?:
        (?P<name>(?:{_NAME})?)
        | (?P<owner>{_PATH})(?:
            \.(?P<attribute>\w*)
            | \[(?:(?P<quote>['"])(?P<key>(?:(?!(?P=quote))[^\n])*)|(?P<number>-?\d*))
        )
    )$""",
    re.VERBOSE,
)
_STEP = re.compile(rf"\.({_NAME})|\[(?:(-?\d+)|'([^'\n]*)'|\"([^\"\n]*)\")\]")

#: Names that stand for what cells were, gave and raised.
_NUMBERED = ("In", "Out", "Err")
#: Libraries whose properties and keys are safe to read.
_TRUSTED = {"numpy", "pandas", "polars"}
#: Stands for the name at the cursor.
_HERE = "h2o_magic_cursor"
#: How many indexes of a list are offered.
_INDEXES = 20
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


class _Unknown:
    """Stands for a value that does not exist, or is not read."""


def in_braces(place: Prompt, namespace: Mapping[str, Any]) -> tuple[str, list[Offer]]:
    """Return the name at the cursor so far, and its completions.

    Both are empty outside braces, in code, and where braces mean nothing.
    """
    line = place.before[place.before.rfind("\n") + 1 :]
    field = None if place.raw else _FIELD.search(line)
    if field is None:
        return "", []
    before = place.before[: len(place.before) - len(field.group())]
    after = place.after.removeprefix("}")
    if _HERE not in names_in(f"{before}{{{_HERE}}}{after}"):
        return "", []  # within code
    if field["name"] is not None:
        return field["name"], _names(field["name"], namespace)
    owner = _value(field["owner"], namespace)
    with suppress(Exception):  # whatever a foreign object raises
        if field["attribute"] is not None:
            return field["attribute"], _attributes(field["attribute"], owner)
        typed = (field["quote"] or "") + (field["key"] or field["number"] or "")
        return typed, _keys(typed, owner, place.after)
    return "", []


def runs_no_code(value: Any, path: Iterable[Step]) -> bool:
    """Return whether a path from a value can be followed without the user's code."""
    for step in path:
        try:
            if isinstance(step, Attribute):
                if not _is_readable(value, step.name):
                    return False
                value = getattr(value, step.name)
            elif type(value) in (dict, list, tuple, str) or _is_trusted(value):
                value = value[step.key]
            else:
                return False
        except Exception:
            return True  # that is what it leads to
    return True


def _is_readable(owner: object, name: str) -> bool:
    if _is_trusted(owner):
        return True
    static = _static(owner, name)
    if static is _Unknown:
        kind = type(owner)
        own = kind.__getattribute__ is not object.__getattribute__
        return not own and not hasattr(kind, "__getattr__")
    return _is_plain(static)


def _names(begun: str, namespace: Mapping[str, Any]) -> list[Offer]:
    """Return the variables that begin so; those with `_` only if that was typed."""
    shown = [name for name in namespace if _is_shown(name, begun)]
    more = [n for n in _NUMBERED if begun and n.startswith(begun) and n not in shown]
    return [Offer(name, _kind(namespace.get(name))) for name in sorted(shown) + more]


def _is_shown(name: str, begun: str) -> bool:
    """Return whether to offer a name; a prompt reads no dunder names."""
    hidden = "__" if begun else "_"
    return name.startswith(begun) and not name.startswith(hidden)


def _attributes(begun: str, owner: object) -> list[Offer]:
    """Return attributes, those with data before those that are called."""
    if owner is _Unknown:
        return []
    names: set[object] = set()
    if _is_trusted(owner):
        names |= set(dir(owner))
    else:  # as `dir` does, without a `__dir__` of the user's own
        kind = cast(type, owner) if issubclass(type(owner), type) else type(owner)
        names |= {name for each in type.mro(kind) for name in vars(each)}
        with suppress(AttributeError):  # it has slots only
            names |= set(object.__getattribute__(owner, "__dict__"))
    shown = sorted(
        name
        for name in names
        if isinstance(name, str) and name.isidentifier() and _is_shown(name, begun)
    )
    offers = [Offer(name, _kind(_static(owner, name))) for name in shown]
    return sorted(offers, key=lambda offer: offer.kind in ("function", "class"))


def _keys(typed: str, owner: object, after: str) -> list[Offer]:
    """Return keys, columns or indexes as they are written, with what closes them."""
    quote = typed[:1] if typed[:1] in ("'", '"') else ""
    if quote and after.startswith((quote, "]")):
        close = "" if after.startswith(quote) else quote
    else:
        close = quote + ("" if after.startswith("]") else "]")
    offers = []
    for key in _keys_of(owner):
        if isinstance(key, str):
            mark = quote or ("'" if "'" not in key else '"')
            if mark in key or "\n" in key or "\\" in key:
                continue  # cannot be written as a constant in braces
            written = f"{mark}{key}{close if quote else mark + close}"
        else:
            written = f"{key}{close}"
        if written.startswith(typed):
            offers.append(Offer(written, "key"))
    return offers


def _keys_of(owner: object) -> list[str | int]:
    """Return keys of a mapping, columns of a table, or the first indexes of a list."""
    keys: Iterable[Any] = ()
    if isinstance(owner, dict):
        keys = dict.keys(owner)
    elif isinstance(owner, list | tuple):
        keys = range(min(len(owner), _INDEXES))
    elif _is_trusted(owner) and hasattr(owner, "columns"):
        keys = owner.columns
    return [k for k in keys if isinstance(k, str | int) and not isinstance(k, bool)]


def _value(path: str, namespace: Mapping[str, Any]) -> object:
    """Return what a path leads to, or `_Unknown`."""
    name = re.match(_NAME, path)
    value: object = namespace.get(name.group(), _Unknown) if name else _Unknown
    for step in _STEP.finditer(path, name.end() if name else 0):
        if value is _Unknown:
            break
        attribute, index, *keys = step.groups()
        with suppress(Exception):
            if attribute is not None:
                value = _attribute(value, attribute)
            else:
                key = next((k for k in keys if k is not None), "")
                value = _item(value, int(index) if index is not None else key)
            continue
        return _Unknown
    return value


def _attribute(owner: object, name: str) -> object:
    static = _static(owner, name)
    if static is not _Unknown and (_is_plain(static) or _is_trusted(owner)):
        return getattr(owner, name)
    return _Unknown


def _is_plain(static: object) -> bool:
    return isinstance(static, _PLAIN) or not hasattr(type(static), "__get__")


def _static(owner: object, name: str) -> object:
    """Return an attribute as it is kept, without reading it."""
    return inspect.getattr_static(owner, name, _Unknown)


def _item(owner: Any, key: str | int) -> object:
    if isinstance(owner, dict):
        return dict.get(owner, key, _Unknown)
    if type(owner) in (list, tuple, str) or _is_trusted(owner):
        return owner[key]
    return _Unknown


def _is_trusted(owner: object) -> bool:
    return type(owner).__module__.partition(".")[0] in _TRUSTED


def _kind(value: object) -> str:
    """Return the kind that the front end's icon shows."""
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        return "class" if value is not _Unknown else "instance"
    if isinstance(value, property):
        return "property"
    called = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    descriptors = (types.MethodDescriptorType, classmethod, staticmethod)
    return "function" if isinstance(value, called + descriptors) else "instance"
