"""Markdown for a terminal: parsed, and as plain text without its marks.

Raw HTML and formulas stay text; ``<br>`` ends a line, and tags that only change how
their text looks are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from h2o_magic.rendering import tables
from h2o_magic.rendering.formulas import formula_at

_TAG = re.compile(
    r"<(?:/?(?:sub|sup|kbd|code|mark|span|u|b|i|em|strong|details|summary)|(br) ?/?)>",
    re.IGNORECASE | re.ASCII,
)
_UNDERLINES = {"h1": "=", "h2": "-"}


def parse(markdown: str) -> list[Token]:
    """Return the tokens of untrusted Markdown; no text of them steers a terminal."""
    return _parser().parse(tables.printable(markdown))


def as_plain(markdown: str) -> str:
    """Return Markdown as text without marks, its tables aligned."""
    return tables.printable(_blocks(SyntaxTreeNode(parse(markdown)).children))


@cache
def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.inline.ruler.before("escape", "formula", _parse_formula)
    made.inline.ruler.before("autolink", "tag", _parse_tag)
    made.core.ruler.push("spell_out", _spell_out)
    return made


def _parse_formula(state: StateInline, silent: bool) -> bool:
    found = formula_at(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.pending += state.src[state.pos : found[1]]
    state.pos = found[1]
    return True


def _parse_tag(state: StateInline, silent: bool) -> bool:
    found = _TAG.match(state.src, state.pos)
    if found is None:
        return False
    if found[1] and not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _spell_out(state: StateCore) -> None:
    """Put a link's address behind its text; an image is its description."""
    for token in state.tokens:
        token.children = token.children and list(_spelled_out(token.children))


def _spelled_out(tokens: Sequence[Token]) -> Iterator[Token]:
    address, said = "", ""
    for token in tokens:
        said += token.content
        if token.type == "link_open":
            address, said = str(token.attrs["href"]), ""
        elif token.type == "link_close":
            yield _address(said, address)
        elif token.type == "image":
            yield Token("text", "", 0, content=token.content)
            yield _address(token.content, str(token.attrs["src"]))
        else:
            yield token


def _address(said: str, address: str) -> Token:
    """Return a link's address in parentheses; nothing where that is said already."""
    known = said.rstrip("/") == address.removeprefix("mailto:").rstrip("/")
    inline = address.startswith("data:")
    return Token("text", "", 0, content="" if known or inline else f" ({address})")


def _blocks(nodes: Sequence[SyntaxTreeNode], between: str = "\n\n") -> str:
    return between.join(filter(None, map(_block, nodes)))


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph":
            return _inline(node)
        case "heading":
            return _heading(_inline(node), _UNDERLINES.get(node.tag, ""))
        case "fence" | "code_block":
            return _indented(node.content.rstrip("\n"), "    ", "    ")
        case "blockquote":
            return _indented(_blocks(node.children), "> ", "> ")
        case "bullet_list":
            return _list(node, ("- " for _ in node.children))
        case "ordered_list":
            first = int(node.attrs.get("start", 1))
            numbers = range(first, first + len(node.children))
            return _list(node, (f"{number}. " for number in numbers))
        case "table":
            return _table(node)
        case "hr":
            return "-" * 3
        case _:
            return _blocks(node.children)


def _heading(text: str, mark: str) -> str:
    widest = max(map(tables.columns, text.split("\n")))
    return f"{text}\n{mark * widest}" if mark else text


def _list(node: SyntaxTreeNode, marks: Iterator[str]) -> str:
    paragraphs = [p for item in node.children for p in item.children if p.type == "paragraph"]
    between = "\n" if all(p.hidden for p in paragraphs) else "\n\n"
    return between.join(
        _indented(_blocks(item.children, between), mark, " " * len(mark)) or mark
        for item, mark in zip(node.children, marks, strict=True)
    )


def _table(node: SyntaxTreeNode) -> str:
    rows = [
        [tables.Verbatim(_inline(cell)) for cell in row.children]
        for part in node.children
        for row in part.children
    ]
    return tables.as_text(rows[0], rows[1:])


def _indented(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    marked = [first + lines[0], *(others + line for line in lines[1:])]
    return "\n".join(line.rstrip() for line in marked)


def _inline(node: SyntaxTreeNode) -> str:
    return "".join(map(_text, node.children))


def _text(node: SyntaxTreeNode) -> str:
    match node.type:
        case "softbreak" | "hardbreak":
            return "\n"
        case _:
            return _inline(node) if node.children else node.content
