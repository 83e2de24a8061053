"""Addresses of the web in a text, which become links as written ones do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_ADDRESS = re.compile(
    r"(?<![\w/.@:-])(?:https?://|www\.(?=\w))[^\s<>\"`|\\^{}]+", re.IGNORECASE
)
_SENTENCE_END = "?!.,:;*_~'\"\u201c\u201d\u2019\u2026"
_CLOSERS = {")": "(", "]": "["}


def link_addresses(parser: MarkdownIt) -> None:
    """Make a parser take bare addresses for links."""

    def link(state: StateCore) -> None:
        for token in state.tokens:
            if token.children and ("://" in token.content or "www." in token.content):
                token.children = list(_linked(token.children, parser))

    # Before escaped text, which is to stay text, is joined to what is around it.
    parser.core.ruler.before("text_join", "bare_links", link)


def _linked(tokens: Sequence[Token], parser: MarkdownIt) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type in ("link_open", "link_close") else 0
        if token.type == "text" and not depth:
            yield from _split(token.content, parser)
        else:
            yield token


def _split(text: str, parser: MarkdownIt) -> Iterator[Token]:
    place = 0
    for found in _ADDRESS.finditer(text):
        shown = _without_end(found[0])
        scheme = "http://" if shown[:4].lower() == "www." else ""
        address = parser.normalizeLink(scheme + shown)
        if not parser.validateLink(address):
            continue
        yield Token("text", "", 0, content=text[place : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": address})
        yield Token("text", "", 0, content=shown)
        yield Token("link_close", "a", -1)
        place = found.start() + len(shown)
    yield Token("text", "", 0, content=text[place:])


def _without_end(address: str) -> str:
    """Return an address without what ends its sentence, or the brackets around it."""
    end = len(address)
    open_ = {c: address.count(c) - address.count(o) for c, o in _CLOSERS.items()}
    while end:
        last = address[end - 1]
        if open_.get(last, 0) > 0:
            open_[last] -= 1
        elif last not in _SENTENCE_END:
            break
        end -= 1
    return address[:end]
