"""Names inside ``{`` in a question: variables, their attributes and their keys."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any, Protocol, cast

from h2o_magic.ipython.completion.cursor import Offer, Prompt
from h2o_magic.ipython.completion.harmless import (
    Unknown,
    is_trusted,
    static_attribute,
    value_at,
)
from h2o_magic.prompts.fields import names_in
from h2o_magic.prompts.glance import glance

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

#: Stands for the name at the cursor.
_HERE = "h2o_magic_cursor"
#: How many indexes of a list are offered.
_INDEXES = 20


class Names(Protocol):
    """The names that a prompt can use."""

    @property
    def namespace(self) -> Mapping[str, Any]:
        """The user's variables."""

    @property
    def numbered(self) -> Mapping[str, Any]:
        """What cells were, gave and raised, by their numbers."""


def in_braces(place: Prompt, names: Names) -> tuple[str, list[Offer]]:
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
        return field["name"], _names(field["name"], names)
    owner = value_at(field["owner"], {**names.numbered, **names.namespace})
    with suppress(Exception):  # whatever a foreign object raises
        if field["attribute"] is not None:
            return field["attribute"], _attributes(field["attribute"], owner)
        typed = (field["quote"] or "") + (field["key"] or field["number"] or "")
        return typed, _keys(typed, owner, place.after)
    return "", []


def _names(begun: str, names: Names) -> list[Offer]:
    """Return the variables that begin so; those with `_` only if that was typed."""
    values = {k: v for k, v in names.namespace.items() if _is_shown(k, begun)}
    values = dict(sorted(values.items(), key=itemgetter(0)))
    if begun:
        more = names.numbered.items()
        values = {k: v for k, v in more if k.startswith(begun)} | values
    return [_offer(name, value) for name, value in values.items()]


def _offer(name: str, value: object) -> Offer:
    return Offer(name, _kind(value), partial(glance, value))


def _is_shown(name: str, begun: str) -> bool:
    """Return whether to offer a name; a prompt reads no dunder names."""
    hidden = "__" if begun else "_"
    return name.startswith(begun) and not name.startswith(hidden)


def _attributes(begun: str, owner: object) -> list[Offer]:
    """Return attributes, those with data before those that are called."""
    if owner is Unknown:
        return []
    names: set[object] = set()
    if is_trusted(owner):
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
    offers = [_attribute(name, static_attribute(owner, name)) for name in shown]
    return sorted(offers, key=lambda offer: offer.kind in ("function", "class"))


def _attribute(name: str, static: object) -> Offer:
    """Return the offer of an attribute, as it is kept; no descriptor is run."""
    kind = _kind(static)
    if hasattr(type(static), "__get__"):
        return Offer(name, kind, lambda: "" if kind == "instance" else kind)
    return Offer(name, kind, partial(glance, static))


def _keys(typed: str, owner: object, after: str) -> list[Offer]:
    """Return keys, columns or indexes as they are written, with what closes them."""
    quote = typed[:1] if typed[:1] in ("'", '"') else ""
    if quote and after.startswith((quote, "]")):
        close = "" if after.startswith(quote) else quote
    else:
        close = quote + ("" if after.startswith("]") else "]")
    offers = []
    for key, about in _keys_of(owner):
        if isinstance(key, str):
            mark = quote or ("'" if "'" not in key else '"')
            if mark in key or "\n" in key or "\\" in key:
                continue  # cannot be written as a constant in braces
            written = f"{mark}{key}{close if quote else mark + close}"
        else:
            written = f"{key}{close}"
        if written.startswith(typed):
            offers.append(Offer(written, "key", about))
    return offers


def _keys_of(owner: Any) -> Iterator[tuple[str | int, Callable[[], str]]]:
    """Yield keys of a mapping, columns of a table, or the first indexes of a list."""
    pairs: Iterable[tuple[Any, Any]] = ()
    about: Callable[[Any], str] = glance
    if isinstance(owner, dict):
        pairs = dict.items(owner)
    elif isinstance(owner, list | tuple):
        kind: Any = list if isinstance(owner, list) else tuple
        pairs = enumerate(islice(kind.__iter__(owner), _INDEXES))
    elif is_trusted(owner) and hasattr(owner, "columns"):
        pairs, about = zip(owner.columns, owner.dtypes, strict=False), str
    for key, value in pairs:
        if isinstance(key, str | int) and not isinstance(key, bool):
            yield key, partial(about, value)


def _kind(value: object) -> str:
    """Return the kind that the front end's icon shows."""
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        return "class" if value is not Unknown else "instance"
    if isinstance(value, property):
        return "property"
    called = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    descriptors = (types.MethodDescriptorType, classmethod, staticmethod)
    return "function" if isinstance(value, called + descriptors) else "instance"
