"""Code as HTML: a frame with the language in its header, and the code with its colours.

Code is highlighted in runs of lines, each on its own: where one ends depends on nothing
behind it, so that a growing block is highlighted, sent and drawn run by run, and comes
to the same as the whole.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Comment, String
from pygments.util import ClassNotFound

_LANGUAGE = re.compile(r"[\s{.]*([\w+#.-]{1,30})")

#: Characters of a run, to the end of the line; and of one that would end within a
#: string or a comment.
_RUN, _LONGEST_RUN = 1500, 8000
#: Code beyond so many characters is not highlighted: it would be many bytes.
_MOST_HIGHLIGHTED = 40_000
#: The kinds of code that code.css has a colour for, by Pygments' short names.
_COLOURS = frozenset(
    ("c", "k", "s", "m", "o", "nb", "nf", "nc", "nd", "nt", "na", "gd", "gi", "gp")
)
_GOING_ON = (String, Comment.Multiline)


def language_of(info: str) -> str:
    """Return the language that the line of a fence names; empty if none."""
    found = _LANGUAGE.match(info)
    return found[1].lower() if found else ""


def frame(language: str) -> tuple[str, str]:
    """Return the HTML before a block's code, and after it."""
    name = html.escape(language)
    head = f'<div class="h2o-code-head"><span>{name or "code"}</span></div>'
    before = f'<div class="h2o-code" data-language="{name}">{head}<pre><code>'
    return before, "</code></pre></div>\n"


def runs(code: str, language: str, before: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the runs of code, as code and as HTML; `before` characters were before it.

    The last one changes if more follows.
    """
    place = 0
    while place < len(code):
        known = _lexer(language) if before + place < _MOST_HIGHLIGHTED else None
        run, shown = _run(code, place, known)
        yield run, shown
        place += len(run)


def _run(code: str, begin: int, lexer: Lexer | None) -> tuple[str, str]:
    size = _RUN
    while True:
        line_end = code.find("\n", begin + size, begin + _LONGEST_RUN)
        run = code[begin : line_end + 1 if line_end >= 0 else begin + _LONGEST_RUN]
        if lexer is None:
            return run, html.escape(run, quote=False)
        tokens = list(lexer.get_tokens(run))
        size *= 2
        if line_end < 0 or not _is_open(tokens) or size > _LONGEST_RUN:
            return run, _coloured(tokens)


def _is_open(tokens: list[tuple[Any, str]]) -> bool:
    """Return whether code ends within a string or a comment of several lines."""
    return bool(tokens) and any(tokens[-1][0] in kind for kind in _GOING_ON)


def _coloured(tokens: list[tuple[Any, str]]) -> str:
    parts = []
    for colour, same in groupby(tokens, lambda token: _colour(token[0])):
        text = html.escape("".join(text for _, text in same), quote=False)
        parts.append(f'<span class="{colour}">{text}</span>' if colour else text)
    return "".join(parts)


@lru_cache(256)
def _colour(kind: Any) -> str:
    """Return the class of a Pygments token, or of the most special of its parents."""
    names = (STANDARD_TYPES.get(parent) for parent in reversed(kind.split()))
    return next((name for name in names if name in _COLOURS), "")


@lru_cache(64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
