"""The values of cells as text for a model, or for a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.introspection import named_parts
from h2o_magic.prompts.tables.kinds import is_table

#: What says that a value is shown as an image, or as a page.
_DRAWN = ("_repr_png_", "_repr_mimebundle_", "savefig")
_MISSING = {"NAType", "NaTType"}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for each cell of a row that could not be read."""

    reason: str


def as_text(value: object) -> str:
    """Return a cell as text: nothing for a missing one, JSON for lists and objects.

    A ConfigurationError if it is something that has no text, such as an image.
    """
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    plain = _plain(value)
    if isinstance(plain, dict | list | tuple):
        return json.dumps(plain, ensure_ascii=False, default=_nested)
    return plain if isinstance(plain, str) else str(plain)


def is_missing(value: object) -> bool:
    """Return whether a cell has no value: None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in _MISSING:
        return True
    of_numpy = type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0
    if isinstance(value, float) or of_numpy or type(value).__name__ == "Decimal":
        return bool(value != value)  # noqa: PLR0124 - NaN, and numpy's NaT
    return False


def as_json(value: object) -> str:
    """Return a value as JSON; what JSON has no name for is text, or null."""
    return well_formed(json.dumps(value, ensure_ascii=False, default=as_text))


def json_texts(values: Iterable[object]) -> list[str | None]:
    """Return values as JSON texts, for a column that has no type for them."""
    return [None if value is None else as_json(value) for value in values]


def well_formed(text: str) -> str:
    """Return a text that can be written as UTF-8: without halves of characters."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def _nested(value: object) -> object:
    """Return what stands for a value within JSON."""
    return None if is_missing(value) else _plain(value)


def _plain(value: object) -> object:
    """Return a value as one of Python's own, or as text."""
    if isinstance(value, int | float | complex | list):
        return value
    parts = value if isinstance(value, Mapping) else named_parts(value)
    if parts is not None:
        return dict(parts)
    if isinstance(value, bytes | bytearray):
        return _decoded(bytes(value))
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if getattr(value, "ndim", 2) < 2 and hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, tuple) else _own_text(value)


def _own_text(value: object) -> str:
    has_text = type(value).__str__ is not object.__str__
    is_large = is_table(value) or getattr(value, "ndim", 0) > 1
    is_drawn = any(hasattr(value, name) for name in _DRAWN)
    text = str(value) if has_text and not is_large and not is_drawn else ""
    if not text or " at 0x" in text:
        kind = type(value)
        package = kind.__module__.partition(".")[0]
        raise ConfigurationError(
            f"expected text, numbers, lists or dicts, got a {package} "
            f"{kind.__name__}: make it text first"
        )
    return text


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"expected text, got {len(value):,} bytes that are not UTF-8: decode them "
            "first"
        ) from error
