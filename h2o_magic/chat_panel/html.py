"""Markdown as HTML for the chat panel: the only place where it is made.

What users and models write is foreign. Raw HTML in it is text, but for a few tags
without attributes (``<br>``, ``<sub>``); links lead to the web or to mail, and no image
is loaded: one becomes a link to it. So the panel may insert what comes from here as it
is, and inserts nothing else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token as PygmentsToken
from pygments.util import ClassNotFound

from h2o_magic.chat_panel.mathml import formula

_ADDRESS = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")

_PLAIN_TAG = re.compile(
    r"<(/?)(sub|sup|kbd|code|mark|span|u)>|<br ?/?>", re.IGNORECASE | re.ASCII
)

# A dollar sign with a space or a digit beside it may be a price.
_DOLLARS = re.compile(r"\$(?![\s$])((?:\\[^\n]|[^$\\])+)(?<!\s)\$(?!\d)")
_DOUBLE_DOLLARS = re.compile(r"\$\$((?:\\[^\n]|[^$\\])+)\$\$")
_BRACKETS = {r"\(": r"\)", r"\[": r"\]"}
_ENVIRONMENT = re.compile(r"\\begin\{([a-z]+\*?)\}")
_LONGEST_FORMULA = 5000

#: Longer code is shown without colours: they would take long, and be many bytes.
_LONGEST_COLOURED = 40_000


def as_html(markdown: str, *, breaks: bool = False) -> str:
    """Return foreign Markdown as HTML in which nothing acts."""
    return str(_renderer(breaks).render(markdown, {}))


@cache
def _renderer(breaks: bool) -> MarkdownIt:
    options = {"html": False, "linkify": False, "breaks": breaks}
    made = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    made.validateLink = _leads_safely  # type: ignore[method-assign, assignment]
    made.inline.ruler.before("escape", "formula", _find_formula)
    made.inline.ruler.before("autolink", "plain_tag", _find_plain_tag)
    for kind, rule in _RULES.items():
        made.add_render_rule(kind, rule)
    return made


def _leads_safely(address: str) -> bool:
    return bool(_ADDRESS.fullmatch(address) or _PICTURE.fullmatch(address))


def _find_plain_tag(state: StateInline, silent: bool) -> bool:
    """Take a tag that only changes how its text looks, and whose end is there."""
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
    """Return where a tag ends for the last time; -1 if it does nowhere."""
    known: dict[str, dict[str, int]] = state.env.setdefault("last_ends", {})
    if state.src not in known:  # looked for once, or many tags would take long
        tags = _PLAIN_TAG.finditer(state.src)
        known[state.src] = {tag[2].lower(): tag.start() for tag in tags if tag[1]}
    return known[state.src].get(name, -1)


def _find_formula(state: StateInline, silent: bool) -> bool:
    found = _formula_at(state.src, state.pos)
    if found is None:
        return False
    latex, end, block = found
    if not silent:
        token = state.push("formula", "", 0)
        token.content, token.hidden = latex, block
    state.pos = end
    return True


def _formula_at(text: str, place: int) -> tuple[str, int, bool] | None:
    """Return a formula's text, where it ends, and whether it has lines of its own."""
    if text[place] == "$":
        double = _DOUBLE_DOLLARS.match(text, place)
        found = double or _DOLLARS.match(text, place)
        return None if found is None else (found[1], found.end(), double is not None)
    if text[place] != "\\":
        return None
    opener = text[place : place + 2]
    closer = _BRACKETS.get(opener, "")
    start = place + 2
    environment = None if closer else _ENVIRONMENT.match(text, place)
    if environment is not None:
        closer, start = f"\\end{{{environment[1]}}}", place
    end = text.find(closer, start, start + _LONGEST_FORMULA) if closer else -1
    if end < 0:
        return None
    if environment is not None:
        return text[start : end + len(closer)], end + len(closer), True
    return text[start:end], end + len(closer), opener == r"\["


def _plain_tag(
    _: RendererHTML, tokens: Sequence[Token], place: int, *__: object
) -> str:
    return tokens[place].content


def _formula(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
    token = tokens[place]
    return formula(token.content.strip(), block=token.hidden)


def _code(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
    token = tokens[place]
    words = token.info.strip().lstrip("{.").rstrip("}").split()
    found = _LANGUAGE.match(words[0]) if words else None
    language = found[0].lower() if found else ""
    return (
        f'<div class="h2o-code" data-language="{html.escape(language)}">'
        f"<pre><code>{_coloured(token.content, language)}</code></pre></div>\n"
    )


def _coloured(code: str, language: str) -> str:
    lexer = _lexer(language) if len(code) <= _LONGEST_COLOURED else None
    if lexer is None:
        return html.escape(code, quote=False)
    runs = groupby(lexer.get_tokens(code), lambda token: _kind(token[0]))
    return "".join(
        _span(kind, html.escape("".join(text for _, text in run), quote=False))
        for kind, run in runs
    )


def _span(kind: str, text: str) -> str:
    return f'<span class="{kind}">{text}</span>' if kind else text


@lru_cache(256)
def _kind(token: Any) -> str:
    """Return the class of a token's colour; empty for one without."""
    return next((kind for group, kind in _KINDS.items() if token in group), "")


#: The kinds of code that have a colour, the special before the general.
_KINDS = {
    PygmentsToken.Comment: "c",
    PygmentsToken.Keyword: "k",
    PygmentsToken.String: "s",
    PygmentsToken.Number: "m",
    PygmentsToken.Operator: "o",
    PygmentsToken.Name.Builtin: "nb",
    PygmentsToken.Name.Function: "nf",
    PygmentsToken.Name.Class: "nf",
    PygmentsToken.Name.Decorator: "nd",
    PygmentsToken.Name.Tag: "k",
    PygmentsToken.Name.Attribute: "na",
    PygmentsToken.Generic.Deleted: "gd",
    PygmentsToken.Generic.Inserted: "gi",
    PygmentsToken.Generic.Prompt: "nd",
}


@lru_cache(64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _heading(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Keep the headings of answers below those of the page."""
    tokens[place].tag = f"h{min(int(tokens[place].tag[1]) + 2, 6)}"
    return str(renderer.renderToken(tokens, place, options, env))


def _head_cell(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Make a cell of a table's head that says nothing no head of its column."""
    beside = tokens[place + 1] if tokens[place].nesting > 0 else tokens[place - 1]
    if not beside.content:
        tokens[place].tag = "td"
    return str(renderer.renderToken(tokens, place, options, env))


def _link(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Open a link in a page of its own, which learns nothing of the notebook."""
    token = tokens[place]
    if _PICTURE.fullmatch(str(token.attrGet("href") or "")):
        del token.attrs["href"]
    token.attrSet("target", "_blank")
    token.attrSet("rel", "noopener noreferrer nofollow")
    return str(renderer.renderToken(tokens, place, options, env))


def _image(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
    token = tokens[place]
    source = html.escape(str(token.attrGet("src") or ""))
    words = html.escape(token.content or "image")
    if _PICTURE.fullmatch(source):
        return f'<img src="{source}" alt="{words}">'
    return (
        f'<a href="{source}" target="_blank" rel="noopener noreferrer nofollow">'
        f"🖼 {words}</a>"
    )


_RULES: Mapping[str, Callable[..., str]] = {
    "formula": _formula,
    "html_inline": _plain_tag,
    "fence": _code,
    "code_block": _code,
    "th_open": _head_cell,
    "th_close": _head_cell,
    "link_open": _link,
    "heading_open": _heading,
    "heading_close": _heading,
    "image": _image,
}
