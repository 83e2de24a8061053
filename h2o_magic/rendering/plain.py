"""Markdown for a terminal: parsed, and as plain text without its marks.

Raw HTML and formulas stay text; ``<br>`` ends a line, and tags that only change how
their text looks are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from h2o_magic.rendering import tables
from h2o_magic.rendering.excess import limit_marks, tame
from h2o_magic.rendering.formulas import formula_at
from h2o_magic.rendering.literal import printable

_TAG = re.compile(
    r"<(?:/?(?:sub|sup|kbd|code|mark|span|u|b|i|em|strong|details|summary)|(br) ?/?)>",
    re.IGNORECASE | re.ASCII,
)
#: Lists and quotations in each other that are read.
_DEEPEST = 100
_UNDERLINES = {"h1": "=", "h2": "-"}


def parse(markdown: str) -> list[Token]:
    """Return the tokens of untrusted Markdown; no text of them steers a terminal."""
    return _parser().parse(tame(printable(markdown)))


def as_plain(markdown: str) -> str:
    """Return Markdown as text without marks, its tables aligned."""
    tokens = parse(markdown)
    for token in tokens:  # flat, since emphasis may be nested deeply
        if token.children is not None:
            token.content = "".join(map(_text, token.children))
            token.children = None
    return printable(_blocks(SyntaxTreeNode(tokens).children))


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _DEEPEST}
    made = MarkdownIt("commonmark", options).enable("table")
    made.disable("reference")  # blocks are shown one by one: its text would be lost
    made.inline.ruler.before("escape", "formula", _parse_formula)
    made.inline.ruler.before("autolink", "tag", _parse_tag)
    limit_marks(made)
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
    written = _WRITTEN.get(node.type)
    return written(node) if written else _blocks(node.children)


def _heading(node: SyntaxTreeNode) -> str:
    text, mark = _inline(node), _UNDERLINES.get(node.tag, "")
    widest = max(map(tables.columns, text.split("\n")))
    return f"{text}\n{mark * widest}" if mark else text


def _code(node: SyntaxTreeNode) -> str:
    return _indented(node.content.rstrip("\n"), "    ")


def _quotation(node: SyntaxTreeNode) -> str:
    return _indented(_blocks(node.children), "> ", "> ")


def _list(node: SyntaxTreeNode) -> str:
    number = int(node.attrs.get("start", 1))
    texts = [part for item in node.children for part in item.children]
    between = "\n" if all(p.hidden for p in texts if p.type == "paragraph") else "\n\n"
    items = []
    for place, item in enumerate(node.children, number):
        mark = f"{place}. " if node.type == "ordered_list" else "- "
        items.append(_indented(_blocks(item.children, between), mark) or mark)
    return between.join(items)


def _table(node: SyntaxTreeNode) -> str:
    rows = [
        [tables.Verbatim(_inline(cell)) for cell in row.children]
        for part in node.children
        for row in part.children
    ]
    return tables.as_text(rows[0], rows[1:])


def _indented(text: str, first: str, others: str = "") -> str:
    others = others or " " * len(first)
    lines = text.split("\n")
    marked = [first + lines[0], *(others + line for line in lines[1:])]
    return "\n".join(line.rstrip() for line in marked)


def _inline(node: SyntaxTreeNode) -> str:
    return "".join(child.content for child in node.children)


def _text(token: Token) -> str:
    return "\n" if token.type in ("softbreak", "hardbreak") else token.content


_WRITTEN: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "blockquote": _quotation,
    "bullet_list": _list,
    "code_block": _code,
    "fence": _code,
    "heading": _heading,
    "hr": lambda _: "-" * 3,
    "ordered_list": _list,
    "paragraph": _inline,
    "table": _table,
}
