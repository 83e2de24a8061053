"""What a thread is called where people choose one: its title."""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import count

from h2o_magic.errors import ConfigurationError, expect
from h2o_magic.rendering.literal import one_line

#: The title of a thread without a title of its own and without a question.
NEW = "New chat"

#: Characters of a title that is made of a question, and of one that a user gives.
_WIDTH, _MOST = 60, 200

_FENCE = re.compile(r"\s*(?:```|~~~)")
#: Marks that begin a line: of a heading, a quotation, an entry of a list, a task.
_BEGINNING = re.compile(
    r"(?:\s*(?:#{1,6}|>|[-*+]|\d{1,9}[.)])(?=\s))*\s*(?:\[[ xX]\]\s)?"
)
#: Bold, struck out and slanted text, code, and links, of which the words stay.
_MARKED = re.compile(
    r"\*\*|~~|`+"
    r"|(?<![\w*])\*(?=[^\s*])(?P<slanted>[^*]*)\*(?![\w*])"
    r"|!?\[(?P<link>[^][]*)\]\([^()]*\)"
)


def shown(own: str, first_question: str) -> str:
    """Return a thread's `own` title; without one, its first question, shortened."""
    return own or from_question(first_question) or NEW


def from_question(question: str) -> str:
    """Return the first line with words, without Markdown's marks, at most 60 long."""
    for line in question[:2000].splitlines():
        if not _FENCE.match(line):
            text = one_line(_MARKED.sub(_words, line[_end_of_marks(line) :][:400]))
            if text:
                return _shortened(text)
    return ""


def checked(title: object) -> str:
    """Return a title that a user gives, on one line; empty for that of the question."""
    expect("a title", title, str)
    line = one_line(str(title))
    if len(line) > _MOST:
        raise ConfigurationError(
            f"expected a title of at most {_MOST} characters, got {len(line)}: "
            "shorten it"
        )
    return line


def of_branch(title: str, taken: Container[str]) -> str:
    """Return the title of a copy, by a number unlike those that are `taken`."""
    base = re.sub(r" \(branch(?: \d+)?\)\Z", "", title)[: _MOST - 20]
    names = (f"{base} (branch{f' {n}' if n > 1 else ''})" for n in count(1))
    return next(name for name in names if name not in taken)


def _end_of_marks(line: str) -> int:
    found = _BEGINNING.match(line)
    return found.end() if found else 0


def _words(found: re.Match[str]) -> str:
    return found["slanted"] or found["link"] or ""


def _shortened(text: str) -> str:
    """Return a text, cut behind a word if there is one in the second half."""
    if len(text) <= _WIDTH:
        return text
    space = text.rfind(" ", _WIDTH // 2, _WIDTH)
    return f"{text[: space if space > 0 else _WIDTH - 1].rstrip(' ,;:-')}…"
