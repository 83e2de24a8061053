"""Lists of tasks: ``- [x] done`` has a checkbox, which only shows."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_BOX = re.compile(r"\[([ xX])\][ \t]+(?=\S)")


def show_tasks(parser: MarkdownIt) -> None:
    """Make a parser take items of lists that begin with a box for tasks."""
    parser.core.ruler.before("inline", "tasks", _find)
    parser.core.ruler.after("inline", "task_boxes", _put_boxes)


def _find(state: StateCore) -> None:
    for place, token in enumerate(state.tokens):
        if token.type != "inline" or state.tokens[place - 2].type != "list_item_open":
            continue
        if (found := _BOX.match(token.content)) is None:
            continue
        token.content = token.content[found.end() :]
        token.meta["task"] = "checked " if found[1] != " " else ""
        state.tokens[place - 2].attrSet("class", "h2o-task")


def _put_boxes(state: StateCore) -> None:
    for token in state.tokens:
        checked = token.meta.get("task")
        if checked is None:
            continue
        box = f'<label><input type="checkbox" {checked}disabled> '
        token.children = [_html(box), *(token.children or ()), _html("</label>")]


def _html(html: str) -> Token:
    return Token("html_inline", "", 0, content=html)
