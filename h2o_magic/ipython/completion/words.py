"""The words of a line up to the cursor, and completions of the last one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")
_QUOTED = re.compile(r"""(["'])(.*?)(?:\1|$)""", re.DOTALL)


class Offer(NamedTuple):
    """One completion: its text, and what kind of thing it is, for the front end."""

    text: str
    kind: str


class Typed(NamedTuple):
    """What stands on a line before the cursor."""

    words: tuple[str, ...]
    fragment: str


def split(text: str) -> Typed:
    """Return the words of a line that ends at the cursor."""
    found = list(_WORD.finditer(text))
    last = found.pop() if found and found[-1].end() == len(text) else None
    words = tuple(_QUOTED.sub(r"\2", match.group()) for match in found)
    return Typed(words, last.group() if last else "")


def fitting(fragment: str, values: Iterable[Offer], after: str = "") -> list[Offer]:
    """Return the values that begin as the fragment does, quoted where need be.

    Parameters
    ----------
    fragment
        What is typed of a value, perhaps with a quote before it.
    values
        The values as they are.
    after
        What stands behind the cursor: a quote there is not doubled.
    """
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    begun = fragment[len(quote) :].lower()
    return [
        Offer(_quoted(text, quote, after), kind)
        for text, kind in values
        if text.lower().startswith(begun)
    ]


def _quoted(text: str, quote: str, after: str) -> str:
    """Return a value as one word; a folder's is left open, for what is in it."""
    if not quote and not re.search(r"[\s\"']", text):
        return text
    mark = quote or ("'" if '"' in text else '"')
    is_open = text.endswith(("/", "\\")) or (quote and after.startswith(quote))
    return f"{mark}{text}{'' if is_open else mark}"
