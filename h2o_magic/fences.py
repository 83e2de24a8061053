"""The fenced code blocks of Markdown, as CommonMark 0.31 (section 4.5) has them.

Pure. Fences of backticks and tildes are found at the top, in lists and in quotes; a
longer fence holds shorter ones, and one that is never closed goes on to its
container's end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

__all__ = ["CodeBlock", "code_blocks", "without_code"]

_FENCE = re.compile(r"(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?=\s|$)")
_RULE = re.compile(r"([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_QUOTE = re.compile(r" {0,3}> ?")
_LINE_END = re.compile(r"\r\n|\r|\n")
_TAB = 4
_DEEPEST = 50  # quotes in quotes, and lists in lists; keeps the work linear
_BLANK_LINES = re.compile(r"\n{3,}")
_MOST_SPACES = 4  # behind a list's mark; more begin indented code


class CodeBlock(str):
    """The code of one block: a text that knows its language.

    Parameters
    ----------
    language
        The first word behind the fence, in lower case; empty if there is none.
    code
        What stands between the fences, without the last line's end.
    line
        The number, from 1, of the code's first line in the Markdown.
    """

    language: str
    line: int

    def __new__(cls, language: str, code: str, line: int = 1) -> CodeBlock:
        """Return `code` with its language."""
        block = super().__new__(cls, code)
        block.language = language
        block.line = line
        return block

    @property
    def code(self) -> str:
        """The code as a plain text."""
        return str(self)

    def fenced(self) -> str:
        """Return it as a code block of Markdown."""
        longest = max(map(len, re.findall(r"[`~]+", self)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{fence}{self.language}\n{self.code}\n{fence}"

    def __getnewargs__(self) -> tuple[str, str, int]:  # type: ignore[override]
        return self.language, str(self), self.line


def code_blocks(markdown: str) -> tuple[CodeBlock, ...]:
    """Return the fenced code blocks of `markdown`, in order."""
    return tuple(part for part in _parts(markdown) if isinstance(part, CodeBlock))


def without_code(markdown: str, blocks: Collection[CodeBlock] | None = None) -> str:
    """Return `markdown` without its fenced code blocks: the prose alone.

    Parameters
    ----------
    markdown
        The text.
    blocks
        Those of its :func:`code_blocks` that are left out; None for all.
    """
    left_out = None if blocks is None else {block.line for block in blocks}
    lines = []
    for part in _parts(markdown):
        if not isinstance(part, CodeBlock):
            lines.append(part)
        elif left_out is not None and part.line not in left_out:
            lines.append(part.fenced())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


@dataclass(slots=True)
class _Fence:
    """An open fence, and the code in it so far.

    `quotes` and `offset` say which container it stands in: how many quote marks stand
    before each of its lines, and at which column its list item's content begins.
    """

    mark: str
    language: str
    line: int
    quotes: int
    offset: int
    indent: int
    code: list[str] = field(default_factory=list)

    def block(self) -> CodeBlock:
        return CodeBlock(self.language, "\n".join(self.code), self.line)

    def left_by(self, quotes: int, text: str) -> bool:
        """Whether a line stands outside of the fence's container."""
        return quotes < self.quotes or bool(
            text.strip() and _indent(text) < self.offset
        )

    def closed_by(self, text: str) -> bool:
        bare = text.strip(" \t")
        of_mark = not bare.strip(self.mark[0]) and len(bare) >= len(self.mark)
        return of_mark and _indent(text) - self.offset <= 3

    def add(self, text: str) -> None:
        self.code.append(_dedented(text, self.offset + self.indent))


def _parts(markdown: str) -> Iterator[str | CodeBlock]:
    """Yield each line of prose, and each code block whole."""
    fence: _Fence | None = None
    offsets: list[int] = []  # where the content of the open list items begins
    depth = 0  # quote marks before the last line
    prose = False  # the last line was text, which the next one may go on with
    lines = _LINE_END.split(markdown)
    for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
        quotes, text = _unquoted(line, _DEEPEST if fence is None else fence.quotes)
        if fence is not None:
            if fence.closed_by(text) and not fence.left_by(quotes, text):
                yield fence.block()
                fence = None
                continue
            if not fence.left_by(quotes, text):
                fence.add(text)
                continue
            yield fence.block()
            quotes, text = _unquoted(line, _DEEPEST)
        if quotes != depth:
            offsets.clear()
            depth, prose = quotes, False
        if prose and _goes_on(text):
            yield line
            continue
        fence, before = _opened(text, quotes, offsets, number + 1)
        prose = fence is None and bool(text.strip())
        if fence is None:
            yield line
        elif before.strip(" \t>-*+0123456789.)"):
            yield before
    if fence is not None:
        yield fence.block()


def _unquoted(line: str, most: int) -> tuple[int, str]:
    """Return how many quote marks begin a line, `most` at the most, and the rest."""
    quotes = 0
    while quotes < most and (match := _QUOTE.match(line)):
        line = line[match.end() :]
        quotes += 1
    return quotes, line


def _opened(
    text: str, quotes: int, offsets: list[int], line: int
) -> tuple[_Fence | None, str]:
    """Return the fence that a line opens, if it does, and what stands before it.

    The list items that the line ends are taken off `offsets`, those that it begins
    are put on.
    """
    text = _untabbed(text)
    place = _indent(text)
    if place == len(text):
        return None, ""
    while offsets and offsets[-1] > place:
        offsets.pop()
    while len(offsets) < _DEEPEST and place - _last(offsets) <= 3:
        match = _item(text, place)
        if match is None:
            break
        place = _content(text, match.end())
        offsets.append(min(place, match.end() + _MOST_SPACES))
        if place - match.end() > _MOST_SPACES:
            offsets[-1] = match.end() + 1
    opener = _opener(text, place)
    if opener is None or place - _last(offsets) > 3:
        return None, ""
    indent = place - _last(offsets)
    language = _language(opener["info"])
    fence = _Fence(opener["mark"], language, line, quotes, _last(offsets), indent)
    return fence, text[:place]


def _goes_on(text: str) -> bool:
    """Whether a line can only go on with a paragraph, however it is indented."""
    bare = text.strip()
    begins = _MARKER.match(bare) or _opener(bare, 0) or _RULE.match(bare)
    return bool(bare) and not begins and not bare.startswith("#")


def _opener(text: str, place: int) -> re.Match[str] | None:
    match = _FENCE.fullmatch(text, place)
    # Behind backticks, another one makes it code within a line.
    inline = match is not None and match["mark"][0] == "`" and "`" in match["info"]
    return None if inline else match


def _item(text: str, place: int) -> re.Match[str] | None:
    return None if _RULE.match(text, place) else _MARKER.match(text, place)


def _content(text: str, place: int) -> int:
    rest = text[place:]
    return place + (len(rest) - len(rest.lstrip(" \t")) if rest.strip() else 1)


def _last(offsets: list[int]) -> int:
    return offsets[-1] if offsets else 0


def _indent(text: str) -> int:
    """Return the column that a line's text begins at."""
    return len(_untabbed(text)) - len(text.lstrip(" \t"))


def _untabbed(line: str) -> str:
    """Return a line whose leading tabs are spaces."""
    rest = line.lstrip(" \t")
    return line[: len(line) - len(rest)].expandtabs(_TAB) + rest


def _dedented(line: str, columns: int) -> str:
    """Return a line of code without its first columns, if these are blank."""
    if columns == 0:
        return line
    plain = _untabbed(line)
    return plain[min(_indent(line), columns) :]


def _language(info: str) -> str:
    # Also `{python}` and `{.python .numberLines}`, as Pandoc and R Markdown write.
    words = info.strip().lstrip("{").lstrip(".").replace("}", " ").split()
    return words[0].rstrip(",").lower() if words else ""
