"""Where the cursor stands: in which cell or line, and after which words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from h2o_magic.config.command_line import begun, quote

_CELL = re.compile(r"%%h2o(?!\S)")
#: ``%h2o``, also behind ``answer =``.
_LINE = re.compile(r"\s*(?:[\w,.][\w\s,.]*=\s*)?%h2o\s")


class CellLine(NamedTuple):
    """The cursor stands on the first line of a ``%%h2o`` cell."""

    before: str
    after: str


class Command(NamedTuple):
    """The cursor stands on a ``%h2o`` line."""

    before: str
    after: str


class Prompt(NamedTuple):
    """The cursor stands in a question; in a `raw` one, braces mean nothing.

    `head` is what is behind ``%%h2o`` on the first line.
    """

    before: str
    after: str
    raw: bool = False
    head: str = ""


class Offer(NamedTuple):
    """One completion: its text, and what kind of thing it is, for the front end.

    `about` returns what the panel says of it beside that.
    """

    text: str
    kind: str
    about: Callable[[], str] = str


class Typed(NamedTuple):
    """The words of a line before the cursor, and the word at the cursor so far."""

    words: tuple[str, ...]
    fragment: str


Place = CellLine | Command | Prompt


def place_of(text: str, line: int, column: int) -> Place | None:
    """Return the cursor's place, None outside h2o; `line` and `column` from 0."""
    lines = text.split("\n")
    before, after = lines[line][:column], lines[line][column:]
    first = next((n for n, words in enumerate(lines) if words.strip()), line)
    if first <= line and _CELL.match(lines[first]):
        if line > first:
            return Prompt(
                "\n".join([*lines[first + 1 : line], before]),
                "\n".join([after, *lines[line + 1 :]]),
                raw="--raw" in split(f"{lines[first]} ").words,
                head=lines[first].partition(" ")[2],
            )
        head = re.match(r"%%h2o\s", before)
        return CellLine(before[head.end() :], after) if head else None
    found = _LINE.match(before)
    return Command(before[found.end() :], after) if found else None


def split(text: str) -> Typed:
    """Return the words of a line that ends at the cursor."""
    words, fragment = begun(text)
    return Typed(tuple(word.text for word in words), fragment)


def fitting(fragment: str, values: Iterable[Offer], after: str = "") -> list[Offer]:
    """Return the values that begin as the fragment does, quoted where need be.

    The fragment may have an opening quote; one `after` the cursor is not doubled.
    """
    mark = fragment[:1] if fragment[:1] in ("'", '"') else ""
    beginning = fragment[len(mark) :].lower()
    closed = bool(mark) and after.startswith(mark)
    return [
        offer._replace(text=_quoted(offer.text, mark, closed))
        for offer in values
        if offer.text.lower().startswith(beginning)
        and not (closed and mark in offer.text)
    ]


def _quoted(text: str, mark: str, closed: bool) -> str:
    """Return a value as one word; a folder's is left open, for what is in it."""
    written = quote(text)
    if mark and mark not in text:
        written = f"{mark}{text}{mark}"
    is_open = closed or text.endswith(("/", "\\"))
    return written[:-1] if is_open and written != text else written
