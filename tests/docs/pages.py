"""The pages of the documentation, read as GitHub reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["DOCUMENTED", "LINKED", "ROOT", "Fence", "Page", "pages"]

ROOT = Path(__file__).parents[2]

#: The pages whose commands must work: all but a table of what is refused.
DOCUMENTED = ("README.md", "docs/[!r]*.md", "docs/replay.md")
#: Those whose links must lead somewhere.
LINKED = (
    "README.md",
    "docs/*.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "training/README.md",
)

# Markdown leaves HTML alone; pages use it for pictures with a width.
_IN_HTML = re.compile(r"""\s(?:src|href)=["']([^"']+)["']""")
# What GitHub's anchors lose: all but letters, digits, "_", "-" and spaces.
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, the line it begins on.

    Behind the language may stand the file that it is the text of.
    """

    language: str
    text: str
    line: int
    file: str = ""


class Page:
    """One page.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text("utf-8")
        self._tokens = MarkdownIt("commonmark").enable("table").parse(self.text)

    def fences(self) -> list[Fence]:
        """Return the fenced blocks, in order."""
        found = []
        for token in self._tokens:
            if token.type == "fence" and token.map:
                language, _, file = token.info.strip().partition(" ")
                found.append(Fence(language, token.content, token.map[0] + 1, file))
        return found

    def write_files(self, folder: Path) -> None:
        """Write the files whose text the page has below a folder."""
        for fence in self.fences():
            if fence.file:
                path = folder / fence.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(fence.text, "utf-8")

    def codes(self) -> list[str]:
        """Return the texts in backticks, each once, in order."""
        found = [t.content for t in self._inline() if t.type == "code_inline"]
        return list(dict.fromkeys(found))

    def links(self) -> list[str]:
        """Return the targets of links and pictures, in order."""
        return [target for token in self._all() for target in _targets(token)]

    def anchors(self) -> set[str]:
        """Return the names by which links can jump to a heading."""
        names: set[str] = set()
        seen: Counter[str] = Counter()
        for opening, inline in zip(self._tokens, self._tokens[1:], strict=False):
            if opening.type == "heading_open":
                name = _anchor(inline)
                count = seen[name]
                seen[name] += 1
                names.add(f"{name}-{count}" if count else name)
        return names

    def _all(self) -> Iterator[Token]:
        for token in self._tokens:
            yield token
            yield from token.children or ()

    def _inline(self) -> Iterator[Token]:
        return (child for token in self._tokens for child in token.children or ())


def _targets(token: Token) -> Iterator[str]:
    if token.type == "link_open":
        yield str(token.attrs["href"])
    elif token.type == "image":
        yield str(token.attrs["src"])
    elif token.type in ("html_block", "html_inline"):
        yield from _IN_HTML.findall(token.content)


def _anchor(heading: Token) -> str:
    parts = heading.children or ()
    text = "".join(t.content for t in parts if t.type in ("text", "code_inline"))
    return _NOT_IN_ANCHORS.sub("", text.strip().lower()).replace(" ", "-")


@cache
def pages(patterns: tuple[str, ...] = DOCUMENTED) -> tuple[Page, ...]:
    """Return the pages that the patterns name, the README first."""
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return tuple(Page(path) for path in paths)
