"""Whether the value under the name of a secret is one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.secrets.looks import is_unlike_words, looks_like_key, unmasked
from h2o_magic.prompts.secrets.names import is_plural, secrecy, text_of, words_in

#: How much of a value under a secret's name is searched.
_ITEMS = 50
_DEPTH = 3


def holds_secret(name: object, value: object) -> bool:
    """Return whether the value under a secret's name is a secret."""
    if _is_folder(name, value):
        return False  # the current folder, as a shell names it
    is_secret = unmasked
    if secrecy(name) == "perhaps":
        is_secret = is_unlike_words if text_of(name).isupper() else looks_like_key
    return any(map(is_secret, _texts_in(value, plural=is_plural(name), depth=_DEPTH)))


def _is_folder(name: object, value: object) -> bool:
    named = words_in(text_of(name))[-1:] == ["pwd"]
    return named and isinstance(value, str) and os.path.isabs(value)


def _texts_in(value: object, *, plural: bool, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield value.decode("latin-1")
    elif depth > 0:
        for each in islice(_inner(value, plural=plural), _ITEMS):
            yield from _texts_in(each, plural=plural, depth=depth - 1)


def _inner(value: object, *, plural: bool) -> Iterable[object]:
    """Return what a collection holds; a mapping under ``password`` describes one."""
    if isinstance(value, Mapping):
        return value.values() if plural else [value.get("value")]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    return _of_array(value)


def _of_array(value: Any) -> Iterable[object]:
    """Return the first items of an array or a column."""
    if not any(is_from(value, package) for package in ("numpy", "pandas", "polars")):
        return ()
    if len(shape := getattr(value, "shape", ())) != 1:
        return [value.item()] if shape == () and hasattr(value, "item") else ()
    first: list[object] = list(value[:_ITEMS])
    return first
