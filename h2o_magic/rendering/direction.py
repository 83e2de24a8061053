"""Which way text runs: Arabic, Hebrew and some other scripts run from right to left.

A paragraph runs as its first letter does that is neither code nor part of an address.
Code and formulas always run from left to right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from h2o_magic.rendering.fences import Fence, fence_after

_RIGHT_TO_LEFT = (
    "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
)
_ANY = re.compile(f"[{_RIGHT_TO_LEFT}]")
_LETTER = re.compile(rf"(?!\d)(?:([{_RIGHT_TO_LEFT}])|[^\W_])")
_NO_PROSE = re.compile(r"`[^`]*`|\$[^$\n]*\$|\]\([^()\s]*\)|https?://\S*|<[^<>\n]*>")
_GOES_ON = re.compile(r"[ \t]|(?:[-*+>]|\d{1,9}[.)])(?:[ \t]|$)")
# Pages may align all text to the left; JupyterLab's paragraphs need cells.css.
_OPENED, _CLOSED = '<div dir="rtl" align="right">', "</div>"
_MARKS = re.compile(rf"^{_OPENED}\n\n|\n\n{_CLOSED}$", re.MULTILINE)


def has_right_to_left(text: str) -> bool:
    """Return whether a text has a letter of a script from right to left."""
    return _ANY.search(text) is not None


def direction(prose: str) -> str:
    """Return ``rtl`` or ``ltr``; empty for prose without letters."""
    found = _LETTER.search(_NO_PROSE.sub(" ", prose))
    return "" if found is None else "rtl" if found[1] else "ltr"


def with_directions(markdown: str) -> str:
    """Return sanitized Markdown with what runs from right to left marked so.

    For pages of others, which run from left to right; other texts stay as they are.
    """
    if not has_right_to_left(markdown):
        return markdown
    parts: list[tuple[str, list[str]]] = []
    for way, lines in filter(lambda block: block[1], _blocks(markdown)):
        if parts and way == parts[-1][0]:
            parts[-1][1].extend(lines)
        else:
            parts.append((way, lines))
    return "\n".join(_marked(way, "\n".join(lines)) for way, lines in parts)


def without_directions(markdown: str) -> str:
    """Return Markdown as it was before :func:`with_directions`."""
    return _MARKS.sub("", markdown)


def _marked(way: str, text: str) -> str:
    if way != "rtl":
        return text
    kept = text.strip("\n")
    before, _, after = text.partition(kept)
    # HTML goes on to the next blank line.
    return f"{before}{_OPENED}\n\n{kept}\n\n{_CLOSED}{after or chr(10)}"


def _blocks(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of each block, and which way it runs; code that is in no list."""
    block: list[str] = []
    fence: Fence | None = None
    way, is_list, apart = "ltr", False, True
    for line in markdown.split("\n"):
        inside, fence = fence, fence_after(fence, line)
        top = inside or fence
        if top is not None and not top.lead:
            if inside is None:
                yield way, block
                block, way = [], "ltr"
            block.append(line)
            if fence is None:
                yield way, block
                block, apart, is_list = [], True, False
            continue
        goes_on = is_list and _GOES_ON.match(line) is not None
        if apart and line.strip() and not (inside or goes_on):
            yield way, block
            block, way = [], direction(line) or way
            is_list = _GOES_ON.match(line) is not None
        block.append(line)
        apart = not line.strip()
    yield way, block
