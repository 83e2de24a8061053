"""The fenced code of Markdown: a scanner for single lines, and the blocks of a text.

:func:`opened` and :meth:`Fence.closed_by` read one line at a time, without the lines
around it. Where the text is whole, :func:`code_blocks` asks markdown-it-py, which reads
it as CommonMark 0.31 has it, with the lists and quotes around a fence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# A fence may be on the line of a list marker: ``- ```sh``. What is longer, or deeper in
# lists, is none that anybody wrote: it is shown as text.
_FENCE = re.compile(
    r"(?P<lead>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+){0,50})"
    r"(?P<mark>`{3,100}(?=[^`]*\Z)|~{3,100}(?!~))(?P<info>.*)"
)
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Fence:
    """An open fence: the text before its mark (tabs expanded), the mark, the rest."""

    lead: str
    mark: str
    info: str

    @property
    def indent(self) -> str:
        """As many spaces as there are columns before the mark."""
        return " " * len(self.lead)

    @property
    def opener(self) -> str:
        """The line that opens it again, without a list's mark."""
        return f"{self.indent}{self.mark}{self.info}\n"

    def closed_by(self, line: str) -> bool:
        """Whether a line is the fence's end (CommonMark 0.31, section 4.5)."""
        bare = line.strip()
        if len(bare) < len(self.mark) or bare.strip(self.mark[0]):
            return False
        line = untabbed(line) if self.lead else line
        return len(line) - len(line.lstrip(" ")) <= len(self.lead) + 3


def opened(line: str) -> Fence | None:
    found = _FENCE.fullmatch(line.rstrip("\r\n"))
    if found is None:
        return None
    return Fence(found["lead"].expandtabs(4), found["mark"], found["info"])


def fence_after(fence: Fence | None, line: str) -> Fence | None:
    """Return the fence that is open after a line, where `fence` was before it."""
    if fence is None:
        return opened(line)
    return None if fence.closed_by(line) else fence


def untabbed(line: str) -> str:
    rest = line.lstrip(" \t")
    return line[: len(line) - len(rest)].expandtabs(4) + rest


class CodeBlock(str):
    """The code of one block, without the last line's end.

    Attributes
    ----------
    language : str
        The first word after the fence, in lower case; empty if there is none.
    line : int
        The number, from 1, of the code's first line in the Markdown.
    """

    language: str
    line: int

    def __new__(cls, language: str, code: str, line: int = 1) -> CodeBlock:
        block = super().__new__(cls, code)
        block.language = language
        block.line = line
        return block

    @property
    def code(self) -> str:
        return str(self)

    def __getnewargs__(self) -> tuple[str, str, int]:  # type: ignore[override]
        return self.language, str(self), self.line


def fenced(code: str, language: str) -> str:
    longest = max(map(len, re.findall("`+", code)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{code}\n{mark}"


def code_blocks(markdown: str) -> tuple[CodeBlock, ...]:
    """Return the fenced code blocks of `markdown`, in order."""
    return tuple(block for _, _, block in _found(markdown))


def without_code(markdown: str, blocks: Collection[CodeBlock] | None = None) -> str:
    """Return `markdown` without `blocks` of its :func:`code_blocks`; None: all."""
    left_out = None if blocks is None else {block.line for block in blocks}
    lines = re.split(r"\r\n|\r|\n", markdown)
    for begin, end, block in reversed(list(_found(markdown))):
        kept = left_out is not None and block.line not in left_out
        lines[begin:end] = [fenced(block.code, block.language)] if kept else []
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _found(markdown: str) -> Iterator[tuple[int, int, CodeBlock]]:
    """Yield each block with its first line, from 0, and the one after its last."""
    for token in _parser().parse(markdown):
        if token.type == "fence" and token.map is not None:
            begin, end = token.map
            code = token.content.removesuffix("\n")
            yield begin, end, CodeBlock(_language(token.info), code, begin + 2)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - slow, and few answers need it

    return MarkdownIt("commonmark", {"html": False}).disable("inline")


def _language(info: str) -> str:
    # Also `{python}` and `{.python .numberLines}`, as Pandoc and R Markdown write.
    words = info.strip().lstrip("{").lstrip(".").replace("}", " ").split()
    return words[0].rstrip(",").lower() if words else ""
