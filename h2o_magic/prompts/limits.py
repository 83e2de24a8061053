"""Texts of values cut to a length, and numbers without noise."""

from __future__ import annotations

from h2o_magic.config.units import counted

#: The longest text that is kept of a value.
CHARACTERS = 20_000


def cut_middle(text: str, limit: int, left_out: int = 0) -> str:
    """Return the head and the tail of a text that is too long, with a note between.

    `left_out` characters are missing from its middle already.
    """
    left_out += max(len(text) - limit, 0)
    if left_out <= 0:
        return text
    limit = min(limit, len(text))
    tail = limit // 2
    note = f"[… {counted(left_out, 'character')} left out …]"
    return f"{text[: limit - tail]}\n{note}\n{text[len(text) - tail :]}"


def cut_end(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def float_text(number: float, digits: int = 6) -> str:
    """Return a number to so many digits; those before the point are all kept."""
    if 10**digits <= abs(number) < 1e15:
        return f"{number:.0f}.0"
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
