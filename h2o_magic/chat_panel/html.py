"""Untrusted Markdown as safe HTML: the only HTML that the chat panel inserts.

Raw HTML stays text, except for a few tags without attributes (``<br>``, ``<sub>``).
Links lead to other hosts or to mail. Images are not loaded but linked.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from h2o_magic.chat_panel.bare_links import link_addresses
from h2o_magic.chat_panel.code import frame, language_of, runs
from h2o_magic.chat_panel.directions import set_directions
from h2o_magic.chat_panel.footnotes import show_footnotes
from h2o_magic.chat_panel.mathml import formula
from h2o_magic.chat_panel.tasks import show_tasks
from h2o_magic.rendering.direction import has_right_to_left
from h2o_magic.rendering.excess import limit_marks, tame
from h2o_magic.rendering.formulas import formula_at
from h2o_magic.rendering.sanitize_inline import leads_elsewhere

_ADDRESS = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")

_PLAIN_TAG = re.compile(
    r"<(/?)(sub|sup|kbd|code|mark|span|u)>|<br ?/?>", re.IGNORECASE | re.ASCII
)

_TABLE_BODY = "<tbody>\n"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of Markdown as HTML.

    Code and tables have a frame, `before` and `after`, around parts that may be added
    later. `code` and `language` are those of code; its parts are its `runs`.
    """

    before: str
    body: str = ""
    after: str = ""
    code: str | None = None
    language: str = ""

    def html(self, parts: Iterable[str] = ()) -> str:
        """Return all of it, with `parts` in place of the body in a frame."""
        return "".join((self.before, *parts, self.after))


def as_html(markdown: str, *, breaks: bool = False, framed: bool = True) -> str:
    """Return untrusted Markdown as safe HTML; `breaks` keeps its line breaks.

    Code has a frame with colours, which needs the panel's styles, unless not `framed`.
    """
    return str(_renderer(breaks, framed).render(tame(markdown), {}))


def as_block(markdown: str) -> Block:
    """Return a block of untrusted Markdown as safe HTML, its frame by itself."""
    renderer, env = _renderer(breaks=False), dict[str, Any]()
    tokens = renderer.parse(tame(markdown), env)
    if [token.type for token in tokens] == ["fence"]:
        language = language_of(tokens[0].info)
        before, after = frame(language)
        return Block(before, "", after, tokens[0].content, language)
    html = str(renderer.renderer.render(tokens, renderer.options, env))
    ends = tokens and (tokens[0].type, tokens[-1].type) == ("table_open", "table_close")
    head, body, rest = html.partition(_TABLE_BODY)
    if not (ends and body):
        return Block(html)
    rows, _, _ = rest.rpartition("</tbody>")
    return Block(f"{head}{body}", rows, "</tbody>\n</table>\n")


@cache
def _renderer(breaks: bool, framed: bool = True) -> MarkdownIt:
    options = {"html": False, "linkify": False, "breaks": breaks}
    made = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    made.validateLink = _is_safe_link  # type: ignore[method-assign, assignment]
    made.inline.ruler.before("escape", "formula", _parse_formula)
    made.inline.ruler.before("autolink", "plain_tag", _parse_plain_tag)
    show_footnotes(made)
    show_tasks(made)
    link_addresses(made)
    limit_marks(made)
    made.core.ruler.push("adapt", _adapt)
    made.add_render_rule("formula", _render_formula)
    if framed:
        made.add_render_rule("fence", _render_code)
        made.add_render_rule("code_block", _render_code)
    made.add_render_rule("image", _render_image)
    return made


def _is_safe_link(address: str) -> bool:
    is_link = _ADDRESS.fullmatch(address) and leads_elsewhere(address)
    return bool(is_link or _PICTURE.fullmatch(address))


def _parse_plain_tag(state: StateInline, silent: bool) -> bool:
    """Parse a tag that only changes how its text looks, and that is closed."""
    found = _PLAIN_TAG.match(state.src, state.pos)
    if found is None:
        return False
    closes, name = found[1] or "", (found[2] or "br").lower()
    opened: list[str] = state.env.setdefault("opened", [])
    if closes and opened[-1:] != [name]:
        return False
    if not (closes or name == "br" or _last_end(state, name) >= found.end()):
        return False
    if not silent:
        if closes:
            opened.pop()
        elif name != "br":
            opened.append(name)
        state.push("html_inline", "", 0).content = f"<{closes}{name}>"
    state.pos = found.end()
    return True


def _last_end(state: StateInline, name: str) -> int:
    """Return the position of a tag's last closing tag, or -1."""
    known: dict[str, dict[str, int]] = state.env.setdefault("last_ends", {})
    if state.src not in known:  # searched once, or many tags would take long
        tags = _PLAIN_TAG.finditer(state.src)
        known[state.src] = {tag[2].lower(): tag.start() for tag in tags if tag[1]}
    return known[state.src].get(name, -1)


def _parse_formula(state: StateInline, silent: bool) -> bool:
    found = formula_at(state.src, state.pos)
    if found is None:
        return False
    latex, end, block = found
    if not silent:
        token = state.push("formula", "", 0)
        token.content, token.hidden = latex, block
    state.pos = end
    return True


def _adapt(state: StateCore) -> None:
    """Adapt headings, tables and links to the page around them."""
    for place, token in enumerate(state.tokens):
        if token.type in ("heading_open", "heading_close"):  # below those of the page
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        elif token.type == "th_open" and not state.tokens[place + 1].content:
            # An empty header cell would be an error for a screen reader.
            token.tag = state.tokens[place + 2].tag = "td"
        for child in token.children or ():
            if child.type == "link_open":
                _adapt_link(child)
    if has_right_to_left(state.src):
        set_directions(state.tokens)


def _adapt_link(link: Token) -> None:
    """Open a link in a new tab, which learns nothing of the notebook."""
    if not _ADDRESS.fullmatch(str(link.attrGet("href"))):  # none, or a picture
        del link.attrs["href"]
    link.attrSet("target", "_blank")
    link.attrSet("rel", "noopener noreferrer nofollow")


def _render_formula(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    token = tokens[place]
    return formula(token.content.strip(), block=token.hidden)


def _render_code(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    code, language = tokens[place].content, language_of(tokens[place].info)
    before, after = frame(language)
    return "".join((before, *(html for _, html in runs(code, language)), after))


def _render_image(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    token = tokens[place]
    source = html.escape(str(token.attrGet("src") or ""))
    words = html.escape(token.content or "image")
    if _PICTURE.fullmatch(source):
        return f'<img src="{source}" alt="{words}">'
    if not source:
        return words
    return (
        f'<a href="{source}" target="_blank" rel="noopener noreferrer nofollow">'
        f"🖼 {words}</a>"
    )
