"""The columns that a run adds: what the answers say, by name and type."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from h2o_magic.tables.cells import well_formed
from h2o_magic.tables.rows import Kind, Kinds, Row, free_name

ANSWER, ERROR = "answer", "error"
_KINDS: Mapping[str, Kind] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
#: What JSON calls the values that stand in an enumeration without a type.
_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
#: Integers of a column have 64 bits.
_MOST = 2**63
#: References that are followed: more lead nowhere.
_DEPTH = 20


class AnswerColumns:
    """The columns of answers, and of errors: ``answer``, or one a property.

    A schema of an object has a column for each of its top-level properties; what else
    a schema describes is in ``answer``. A name that the table has already gets
    ``_answer`` behind it.
    """

    def __init__(self, schema: Mapping[str, Any] | None, names: Sequence[str]) -> None:
        self._schema = schema
        whole: Mapping[str, Any] = schema or {}
        properties = _resolved(whole, whole).get("properties")
        self._properties = tuple(properties) if isinstance(properties, Mapping) else ()
        kinds: dict[str, Kind] = {}
        for name in self._properties:
            kinds[free_name(name, [*names, *kinds])] = _kind(properties[name], whole)  # type: ignore[index]
        if not self._properties:
            kinds[free_name(ANSWER, names)] = _kind(schema, whole) if schema else "text"
        self.error = free_name(ERROR, [*names, *kinds])
        self._answers = dict(kinds)
        self.kinds: Kinds = {**kinds, self.error: "text"}

    def values(self, text: str | None, error: str | None) -> Row:
        """Return a row's values, in the order of `kinds`.

        One that its column cannot have is missing, and the error says why.
        """
        if error is not None:
            error = well_formed(error)
        if text is None:
            return (*(None for _ in self._answers), error)
        if self._schema is None:
            return well_formed(text), error
        values: list[object] = []
        for (name, kind), value in zip(
            self._answers.items(), self._parts(json.loads(text)), strict=True
        ):
            try:
                values.append(None if value is None else _as(kind, value))
            except (OverflowError, TypeError, ValueError) as problem:
                values.append(None)
                error = f"{name}: {problem}"
        return (*values, error)

    @property
    def properties(self) -> tuple[str, ...]:
        """The properties that have a column; none if ``answer`` has it all."""
        return self._properties

    def choices(self, column: str) -> Sequence[object]:
        """Return the values among which a property, or the answer, is; else none."""
        whole = self._schema or {}
        found = _resolved(whole, whole)
        if column in self._properties:
            found = _resolved(found["properties"][column], whole)
        return tuple(found.get("enum", ()))

    def _parts(self, value: object) -> tuple[object, ...]:
        if not self._properties:
            return (value,)
        fields = value if isinstance(value, dict) else {}
        return tuple(fields.get(name) for name in self._properties)


def _as(kind: Kind, value: object) -> object:
    """Return a value as one of its column; it fits the schema."""
    if kind == "text":
        return well_formed(str(value))
    if kind == "number":
        number = float(value)  # type: ignore[arg-type]
        if not math.isfinite(number):
            raise ValueError("the number is too large for a column (64 bits)")
        return number
    if kind == "integer":
        whole = int(value)  # type: ignore[call-overload]
        if not -_MOST <= whole < _MOST:
            raise ValueError("the number is too large for a column (64 bits)")
        return whole
    return value


def _kind(schema: object, whole: Mapping[str, Any]) -> Kind:
    """Return what the values of a schema are; null stands for a missing one."""
    found = set(_types(schema, whole, _DEPTH)) - {"null"}
    if found == {"integer", "number"}:
        return "number"
    return _KINDS.get(found.pop(), "object") if len(found) == 1 else "object"


def _types(schema: object, whole: Mapping[str, Any], depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping) or not depth:
        yield "object"
        return
    schema = _resolved(schema, whole)
    if "type" in schema:
        types = schema["type"]
        yield from map(str, types if isinstance(types, list) else [types])
    elif "enum" in schema or "const" in schema:
        for value in schema.get("enum", [schema.get("const")]):
            yield _TYPES.get(type(value), "object")
    else:
        for choice in schema.get("anyOf") or schema.get("oneOf") or [None]:
            yield from _types(choice, whole, depth - 1)


def _resolved(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a schema refers to within the whole one, or itself."""
    for _ in range(_DEPTH):
        base, *path = str(schema.get("$ref", "")).split("/")
        found: Any = whole
        for step in path:
            found = found.get(step) if isinstance(found, Mapping) else None
        if base != "#" or not isinstance(found, Mapping):
            break
        schema = found
    return schema
