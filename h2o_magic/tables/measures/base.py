"""What a measure shows: one line, and tables below it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

from h2o_magic.rendering.tables import as_markdown, as_text

#: The names of columns, and rows of cells.
Table: TypeAlias = tuple[list[str], list[list[str]]]


class Measure(ABC):
    """Shown as Markdown and as plain text: `_phrases`, the first in bold, `_tables`."""

    def __repr__(self) -> str:
        tables = [as_text(*table) for table in self._tables()]
        return "\n\n".join([" · ".join(self._phrases()), *tables])

    def _repr_markdown_(self) -> str:
        tables = [as_markdown(*table) for table in self._tables()]
        first, *rest = self._phrases()
        return "\n\n".join([" · ".join([f"**{first}**", *rest]), *tables])

    @abstractmethod
    def _phrases(self) -> list[str]:
        """Return what the line says, in parts."""

    @abstractmethod
    def _tables(self) -> list[Table]:
        """Return the tables below it."""
