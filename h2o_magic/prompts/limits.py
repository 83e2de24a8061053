"""How much of a value goes into a prompt, and texts cut to that."""

from __future__ import annotations

from dataclasses import dataclass

from h2o_magic.config.units import counted


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value goes into a prompt; a note counts what is left out.

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
        Characters of the whole text.
    """

    rows: int = 50
    columns: int = 20
    cell: int = 200
    items: int = 100
    depth: int = 8
    text: int = 2_000
    characters: int = 20_000


def cut_middle(text: str, limit: int) -> str:
    """Return the head and the tail of a text that is too long, with a note between."""
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    tail = limit // 2
    note = f"[… {counted(left_out, 'character')} left out …]"
    return f"{text[: limit - tail]}\n{note}\n{text[len(text) - tail :]}"


def cut_end(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def float_text(number: float, digits: int = 10) -> str:
    """Return a number without the noise of its last binary digits."""
    text = format(number, f".{digits}g")
    plain = text.lstrip("-").isdigit()
    return {"nan": "NaN"}.get(text, f"{text}.0" if plain else text)


def error_text(error: Exception) -> str:
    try:
        words = cut_end(" ".join(str(error).split()), 200)
    except Exception:  # an exception's own __str__ may fail
        words = ""
    name = type(error).__name__
    return f"{name}: {words}" if words else name
