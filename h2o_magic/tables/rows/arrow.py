"""Tables of Apache Arrow, and relations of DuckDB, which are read as such."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.cells import json_texts
from h2o_magic.tables.rows.base import Kind, Row
from h2o_magic.tables.rows.frames import Added, FrameRows


class ArrowRows(FrameRows):
    """A table; nested values that have no type in common are JSON texts."""

    def __init__(self, table: Any) -> None:
        self._arrow = importlib.import_module("pyarrow")
        super().__init__(table, table.column_names, table.num_rows)

    def _column(self, place: int) -> Any:
        return self._frame.column(place)

    def _values(self, column: Any, start: int, count: int) -> list[object]:
        return list(column.slice(start, count).to_pylist())

    def _taken(self, numbers: list[int]) -> Any:
        return self._frame.take(self._arrow.array(numbers, self._arrow.int64()))

    def _piece(self, values: Row, kind: Kind) -> Any:
        if kind == "object":
            return values
        return self._arrow.array(values, arrow_type(self._arrow, kind))

    def _joined(self, added: Added) -> object:
        table = self._frame
        for name, (kind, pieces) in added.items():
            table = table.append_column(name, self._whole(kind, pieces))
        return table

    def _whole(self, kind: Kind, pieces: list[Any]) -> Any:
        arrow = self._arrow
        if kind != "object":
            return arrow.chunked_array(pieces, arrow_type(arrow, kind))
        values = [value for piece in pieces for value in piece]
        try:
            return arrow.array(values)
        except (arrow.ArrowException, TypeError, OverflowError):
            return arrow.array(json_texts(values), arrow.string())


class DuckDBRows(ArrowRows):
    """A relation, of which rows are read once: a second time their order may differ."""

    def __init__(self, relation: Any) -> None:
        if importlib.util.find_spec("pyarrow") is None:
            raise ConfigurationError(
                "a DuckDB relation is read by pyarrow: run `pip install pyarrow`"
            )
        self._relation = relation
        self._types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        read = getattr(relation, "to_arrow_table", None) or relation.fetch_arrow_table
        super().__init__(read())

    def _joined(self, added: Added) -> object:
        h2o_magic_rows = super()._joined(added)  # found by this name in the query
        columns = ", ".join(map(self._typed, h2o_magic_rows.column_names))  # type: ignore[attr-defined]
        query = f"SELECT {columns} FROM h2o_magic_rows"  # noqa: S608 - names are quoted
        return self._relation.query("h2o_magic_relation", query)

    def _typed(self, name: str) -> str:
        """Return a column as it was: Arrow has no type for some of DuckDB's."""
        quoted = '"' + name.replace('"', '""') + '"'
        kind = self._types.get(name)
        # A cast to text gives an enumeration's or an identifier's type back.
        return quoted if kind is None else f"CAST({quoted} AS {kind}) AS {quoted}"


def arrow_type(arrow: Any, kind: Kind) -> Any:
    """Return Arrow's type for a kind of values; nested ones are JSON texts."""
    types = {
        "integer": arrow.int64,
        "number": arrow.float64,
        "boolean": arrow.bool_,
    }
    return types.get(kind, arrow.string)()
