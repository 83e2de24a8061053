"""Footnotes: ``[^1]`` in a text, and ``[^1]: ...`` where its words are.

A mark is a button with the note's label, and the page leads from it to the note of the
same turn: there are no addresses and no ids. A label that is a number is always a mark,
since the note may be still to come; other labels are if the text has the note.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_LABEL = r"\[\^([\w-]{1,30})\]"
_MARK = re.compile(_LABEL)
_NOTE = re.compile(rf"{_LABEL}:[ \t]+(?=\S)")
_NOTES = re.compile(rf"^ {{0,3}}{_LABEL}:[ \t]", re.MULTILINE)


def show_footnotes(parser: MarkdownIt) -> None:
    """Make a parser take footnotes for such."""
    parser.core.ruler.before("block", "footnotes", _find_notes)
    options: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("reference", "footnote", _parse_note, options)
    parser.inline.ruler.before("link", "footnote_mark", _parse_mark)
    parser.core.ruler.after("inline", "footnote_ends", _end_notes)


def _find_notes(state: StateCore) -> None:
    state.env["notes"] = set(_NOTES.findall(state.src))


def _parse_mark(state: StateInline, silent: bool) -> bool:
    found = _MARK.match(state.src, state.pos)
    if found is None:
        return False
    label = found[1]
    if not (label.isdecimal() or label in state.env.get("notes", ())):
        return False
    if not silent:
        mark = _button("mark", label, f"Footnote {label}", label)
        state.push("html_inline", "", 0).content = f"<sup>{mark}</sup>"
    state.pos = found.end()
    return True


def _parse_note(state: StateBlock, begin: int, end: int, silent: bool) -> bool:
    if state.is_code_block(begin):
        return False
    start = state.bMarks[begin] + state.tShift[begin]
    found = _NOTE.match(state.src, start, state.eMarks[begin])
    if found is None:
        return False
    if silent:
        return True
    last = begin + 1
    while last < end and not _ends_note(state, last):
        last += 1
    label = found[1]
    note = state.push("paragraph_open", "p", 1)
    note.attrs = {"class": "h2o-footnote", "data-note": label}
    note.map = [begin, last]
    text = state.push("inline", "", 0)
    lines = state.getLines(begin, last, state.blkIndent, False)
    text.content = lines.strip()[found.end() - start :]
    text.map, text.children, text.meta = [begin, last], [], {"note": label}
    state.push("paragraph_close", "p", -1)
    state.line = last
    return True


def _ends_note(state: StateBlock, line: int) -> bool:
    if state.isEmpty(line) or state.sCount[line] < state.blkIndent:
        return True
    start = state.bMarks[line] + state.tShift[line]
    return _NOTE.match(state.src, start, state.eMarks[line]) is not None


def _end_notes(state: StateCore) -> None:
    for token in state.tokens:
        if label := token.meta.get("note"):
            back = _button("back", label, f"Back from footnote {label}", "↩")
            end = Token("html_inline", "", 0, content=f" {back}")
            token.children = [*(token.children or ()), end]


def _button(kind: str, label: str, says: str, shows: str) -> str:
    return (
        f'<button type="button" class="h2o-footnote-{kind}" data-note="{label}" '
        f'aria-label="{says}">{shows}</button>'
    )
