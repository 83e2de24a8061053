"""How much of a value goes into a prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value goes into a prompt; what is left out is counted there.

    Attributes
    ----------
    rows, columns : int
        Of a table.
    cell : int
        Characters of one cell of a table.
    items : int
        Of each list, set, mapping or one-dimensional array.
    depth : int
        Lists and mappings inside one another.
    text : int
        Characters of a string inside a list or a mapping.
    characters : int
        Characters of all.
    """

    rows: int = 50
    columns: int = 20
    cell: int = 200
    items: int = 100
    depth: int = 8
    text: int = 2_000
    characters: int = 20_000
