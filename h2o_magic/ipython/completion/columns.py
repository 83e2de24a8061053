"""The columns of a value that is a table, read without computing anything."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from h2o_magic.ipython.completion.harmless import is_trusted

#: Packages whose tables say their columns without being computed.
_TABLES = {"pandas", "polars", "pyarrow", "duckdb"}
#: Rows of a list that are looked at.
_ROWS = 20


def columns_of(value: Any) -> dict[str, str]:
    """Return the names of a table's columns with their types; empty for no table."""
    if type(value) is list:
        return _of_records(value[:_ROWS])
    package = type(value).__module__.partition(".")[0].lstrip("_")
    if package not in _TABLES or type(value).__name__ == "LazyFrame":
        return {}
    with suppress(Exception):  # whatever a foreign object raises
        if package == "pyarrow":
            return {str(field.name): str(field.type) for field in value.schema}
        if package == "duckdb":
            pairs = zip(value.columns, value.types, strict=True)
        elif is_trusted(value) and hasattr(value, "columns"):
            pairs = zip(value.columns, value.dtypes, strict=True)
        else:
            return {}
        return {str(name): str(kind) for name, kind in pairs}
    return {}


def _of_records(rows: list[Any]) -> dict[str, str]:
    if not rows or any(type(row) is not dict for row in rows):
        return {}
    found: dict[str, str] = {}
    for row in rows:
        for name, value in dict.items(row):
            if value is not None or name not in found:
                found[str(name)] = "" if value is None else type(value).__name__
    return found
