"""The columns that a run adds: what the answers say, by name and type."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from h2o_magic.tables.rows import Kind, Kinds

ANSWER, ERROR = "answer", "error"
_KINDS: Mapping[str, Kind] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}


class AnswerColumns:
    """The columns of answers, and of errors: ``answer``, or one a property.

    A schema of an object has a column for each of its top-level properties; what else a
    schema describes is in ``answer``, as an object. A name that the table has already
    gets ``_answer`` behind it.
    """

    def __init__(self, schema: Mapping[str, Any] | None, names: Sequence[str]) -> None:
        self._schema = schema
        properties = schema.get("properties") if schema else None
        self._properties = tuple(properties) if isinstance(properties, Mapping) else ()
        kinds: dict[str, Kind] = {}
        for name in self._properties:
            kinds[_free(name, names)] = _kind(properties[name])  # type: ignore[index]
        if not self._properties:
            kinds[_free(ANSWER, names)] = "object" if schema else "text"
        self.error = _free(ERROR, [*names, *kinds])
        self.kinds: Kinds = {**kinds, self.error: "text"}

    def values(self, text: str | None, error: str | None) -> tuple[object, ...]:
        """Return a row's values, in the order of `kinds`."""
        if text is None:
            return (*(None for _ in range(len(self.kinds) - 1)), error)
        if self._schema is None:
            return text, error
        value = json.loads(text)
        if not self._properties:
            return value, error
        return (*(value.get(name) for name in self._properties), error)


def _free(name: str, names: Sequence[str]) -> str:
    while name in names:
        name += "_answer"
    return name


def _kind(schema: object) -> Kind:
    if not isinstance(schema, Mapping):
        return "object"
    kinds = schema.get("type")
    some = [k for k in (kinds if isinstance(kinds, list) else [kinds]) if k != "null"]
    return _KINDS.get(str(some[0]), "object") if len(some) == 1 else "object"
