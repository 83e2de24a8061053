"""Frames in memory, of pandas and polars: read and filled a batch at a time."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import islice
from typing import Any

from h2o_magic.prompts.introspection import is_from
from h2o_magic.tables.cells import json_texts
from h2o_magic.tables.rows.base import BATCH, Kind, Kinds, Row, Rows

#: Rows of a piece of a new column: few enough to be nothing, and many enough that
#: pieces need not be copied together.
_PIECE = 16 * BATCH
#: New columns: what each is, and its values as the package has them, in pieces.
Added = Mapping[str, tuple[Kind, list[Any]]]


class FrameRows(Rows):
    """A frame; what is one package's own is in the methods of a class of its own."""

    def __init__(self, frame: Any, names: Sequence[object], count: int) -> None:
        self._frame = frame
        self.names = tuple(map(str, names))
        self.count: int = count

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        places = [self._column(self.names.index(name)) for name in columns]
        for start in range(0, self.count, BATCH):
            values = [self._values(place, start, BATCH) for place in places]
            yield list(zip(*values, strict=True))

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        added: Added = {name: (kind, []) for name, kind in kinds.items()}
        for start in range(0, self.count, _PIECE):
            some = list(islice(answers, min(_PIECE, self.count - start)))
            for (kind, pieces), values in zip(
                added.values(), zip(*some, strict=True), strict=True
            ):
                pieces.append(self._piece(values, kind))
        return self._joined(added)

    def take(self, numbers: Sequence[int]) -> FrameRows:
        taken = copy(self)
        taken._frame = self._taken(list(numbers))
        taken.count = len(numbers)
        return taken

    @abstractmethod
    def _column(self, place: int) -> Any:
        """Return a column of the frame."""

    @abstractmethod
    def _values(self, column: Any, start: int, count: int) -> list[object]:
        """Return some values of a column."""

    @abstractmethod
    def _taken(self, numbers: list[int]) -> Any:
        """Return a frame of some rows."""

    @abstractmethod
    def _piece(self, values: Row, kind: Kind) -> Any:
        """Return some values of a new column."""

    @abstractmethod
    def _joined(self, added: Added) -> object:
        """Return the frame with new columns."""


class PandasRows(FrameRows):
    """A frame of pandas or geopandas."""

    def __init__(self, frame: Any) -> None:
        # Columns that are added to it meanwhile are none of the run's.
        names = [_name(label) for label in frame.columns]
        super().__init__(frame.copy(deep=False), names, len(frame))
        self._pandas = pandas = importlib.import_module("pandas")
        # Texts are objects in pandas 2; floats have NaN for what is missing, which
        # numpy and all that draws know, and integers and booleans have no such value.
        self._dtypes: dict[Kind, object] = {
            "text": pandas.Series([""]).dtype,
            "integer": "Int64",
            "number": "float64",
            "boolean": "boolean",
            "object": object,
        }

    def _column(self, place: int) -> Any:
        return self._frame.iloc[:, place]

    def _values(self, column: Any, start: int, count: int) -> list[object]:
        return list(column.iloc[start : start + count].tolist())

    def _taken(self, numbers: list[int]) -> Any:
        return self._frame.iloc[numbers]

    def _piece(self, values: Row, kind: Kind) -> Any:
        return self._pandas.Series(list(values), dtype=self._dtypes[kind])

    def _joined(self, added: Added) -> object:
        frame = self._frame.copy(deep=False)
        if is_from(frame.columns, "pandas", "CategoricalIndex"):
            frame.columns = frame.columns.astype(object)  # it takes no new label
        for name, (kind, pieces) in added.items():
            whole = [self._piece((), kind), *pieces]
            column = self._pandas.concat(whole, ignore_index=True)
            levels = getattr(frame.columns, "nlevels", 1)
            label = (name, *[""] * (levels - 1)) if levels > 1 else name
            frame[label] = column.array  # by place: an index may have equal labels
        return frame


def _name(label: object) -> object:
    """Return a label; of several levels, the first if the others say nothing."""
    if isinstance(label, tuple) and label and not any(label[1:]):
        return label[0]
    return label


class PolarsRows(FrameRows):
    """A frame of polars; nested values that it cannot hold are JSON texts."""

    def __init__(self, frame: Any) -> None:
        super().__init__(frame, frame.columns, frame.height)
        self._polars = polars = importlib.import_module("polars")
        self._dtypes: dict[Kind, object] = {
            "text": polars.String,
            "integer": polars.Int64,
            "number": polars.Float64,
            "boolean": polars.Boolean,
        }

    def _column(self, place: int) -> Any:
        return self._frame.to_series(place)

    def _values(self, column: Any, start: int, count: int) -> list[object]:
        return list(column.slice(start, count).to_list())

    def _taken(self, numbers: list[int]) -> Any:
        return self._frame[numbers]

    def _piece(self, values: Row, kind: Kind) -> Any:
        if kind == "object":
            return values
        return self._polars.Series(values, dtype=self._dtypes[kind])

    def _joined(self, added: Added) -> object:
        columns = [
            self._whole(kind, pieces).alias(name)
            for name, (kind, pieces) in added.items()
        ]
        return self._frame.with_columns(columns)

    def _whole(self, kind: Kind, pieces: list[Any]) -> Any:
        if kind != "object":
            return self._polars.concat([self._piece((), kind), *pieces])
        values = [value for piece in pieces for value in piece]
        try:
            column = self._polars.Series(values)
        except Exception:  # lists and objects that have no type in common
            column = None
        if column is None or column.to_list() != values:  # it drops fields
            return self._polars.Series(json_texts(values), dtype=self._polars.String)
        return column
