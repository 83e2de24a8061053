"""Where a LaTeX formula is in a line of Markdown."""

from __future__ import annotations

import re
from functools import lru_cache

# A dollar sign with a space or a digit beside it may be a price.
_DOLLARS = re.compile(r"\$(?![\s$])((?:\\[^\n]|[^$\\])+)(?<!\s)\$(?!\d)")
_DOUBLE_DOLLARS = re.compile(r"\$\$((?:\\[^\n]|[^$\\])+)\$\$")
_BRACKETS = {r"\(": r"\)", r"\[": r"\]"}
_ENVIRONMENT = re.compile(r"\\begin\{([a-z]+\*?)\}")
_LONGEST_FORMULA = 5000


@lru_cache(8)
def _last(text: str, closer: str) -> int:
    return text.rfind(closer)


def formula_at(text: str, place: int) -> tuple[str, int, bool] | None:
    """Return a formula's text, its end, and whether it is displayed as a block."""
    if text[place] == "$":
        double = _DOUBLE_DOLLARS.match(text, place)
        found = double or _DOLLARS.match(text, place)
        return None if found is None else (found[1], found.end(), double is not None)
    if text[place] != "\\":
        return None
    opener = text[place : place + 2]
    closer = _BRACKETS.get(opener, "")
    start = place + 2
    environment = None if closer else _ENVIRONMENT.match(text, place)
    if environment is not None:
        closer, start = f"\\end{{{environment[1]}}}", place
    if not closer or _last(text, closer) < start:  # else many openers take long
        return None
    end = text.find(closer, start, start + _LONGEST_FORMULA)
    if end < 0:
        return None
    if environment is not None:
        return text[start : end + len(closer)], end + len(closer), True
    return text[start:end], end + len(closer), opener == r"\["
