"""Blocks that run from right to left, marked so in the panel."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token

from h2o_magic.rendering.direction import direction


def set_directions(tokens: Sequence[Token]) -> None:
    """Mark what runs otherwise than what it is in, by its first words."""
    ways: dict[int, str] = {}
    coming = ""
    for token in reversed(tokens):
        if token.type == "inline":
            coming = direction(token.content) or coming
        elif token.nesting == 1:
            ways[id(token)] = coming
    around = ["ltr"]
    for token in tokens:
        if token.nesting == 1:
            is_part = token.type in ("thead_open", "tbody_open", "tr_open")
            way = around[-1] if is_part else ways[id(token)] or around[-1]
            if way != around[-1]:
                token.attrSet("dir", way)
            around.append(way)
        elif token.nesting == -1:
            around.pop()
