"""Texts cut to a length, with a note of what is left out."""

from __future__ import annotations

from h2o_magic.config.units import counted


def cut(text: str, limit: int) -> str:
    """Return a text's head and tail, with a note between them, if it is too long."""
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    tail = limit // 2
    note = f"[… {counted(left_out, 'character')} left out …]"
    return f"{text[: limit - tail]}\n{note}\n{text[len(text) - tail :]}"


def cut_end(text: str, limit: int) -> str:
    """Return a text's beginning, with an ellipsis if that is not all."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def fenced(text: str, language: str) -> str:
    """Return a text as a block of code; marks in it do not end the block."""
    mark = "```"
    while mark in text:
        mark += "`"
    return f"{mark}{language}\n{text.rstrip()}\n{mark}"


def shown_float(number: float, digits: int = 10) -> str:
    """Return a number without the noise of its last binary digits."""
    text = format(number, f".{digits}g")
    plain = text.lstrip("-").isdigit()
    return {"nan": "NaN"}.get(text, f"{text}.0" if plain else text)
