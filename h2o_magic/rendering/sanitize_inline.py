"""Untrusted prose in which nothing acts: tags, links, images, formulas.

The renderers of notebooks differ in what they take for code and for a formula, and
what one shows as code another may run. So nothing here relies on one reading: a mark
that could begin a tag is changed in prose, in formulas and in code spans alike, each
in the way that looks as before where it is what it seems to be.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from h2o_magic.config.url import is_loopback

#: What may begin a formula; JupyterLab also takes ``@@1@@`` for the place of one. It
#: begins with a set of characters, since the text between those is then passed quickly.
MATH = re.compile(r"[$\\@](?:(?<=\$)|(?<=\\)(?:\\[(\[]|begin\{)|(?<=@)@)")

# What every token below begins with: the text between is passed quickly.
_MARK = re.compile(r'[\\$`!\]<"~]')
_TAG = r"<(?=[A-Za-z/!?]|[ \t]*\Z)"
_TOKEN = re.compile(
    r"(?P<dollar>\\+\$|\$\$?)"
    r"|(?P<bracket>\\{2,}[()\[\]])"
    r"|(?P<environment>\\+(?:begin|end)\{[a-zA-Z]*\*?\})"
    r"|(?P<ticks>\\?`+)"
    r"|(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<image>(?:(?<!!)|(?<=\\!))!+\[)"
    r"|(?P<target>\][(:])"
    rf"|(?P<tag>{_TAG})"
    r'|(?P<quote>")'
    r"|(?P<tildes>~{3,})"
)
_CODE_AT_RISK = re.compile(
    rf"{_TAG}|!\[|\][(:]|\$\$|\\{{2}}[(\[]|\\begin\{{|`{{3}}|~{{3}}|@@"
)
# A code span after any of these may be no code to another renderer.
_UNCLEAR = re.compile(r"[`*_~\[\]<>\\$&@|{}^]")

#: Tags without attributes that only change how their text looks.
_PLAIN_TAG = re.compile(
    r"<(sub|sup|kbd|code|mark|span|u)>[^<>`$\\\n\[\]\"]+</\1>"
    # Alone on its line it would begin a block of HTML.
    r"|(?:(?<=\S)|(?<=[\w,;!?|'] ))<br ?/?>",
    re.IGNORECASE,
)
_AUTOLINK = re.compile(
    r"<(?:https?://|mailto:)[\w.~:/?#@&()*+,;%=-]+>"
    r"|<[\w.+-]+@[\w-]+(?:\.[\w-]+)+>",
    re.IGNORECASE | re.ASCII,
)
_PICTURE = re.compile(
    r"!\[[\w .,:;()-]*\]\(data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+\)"
)
_SHOWN_IMAGE = re.compile(r"!+\[([^\[\]]{0,1000})\](?=[(\[])")

#: Where links may lead: to another host, to mail, to a place on the page.
_SAFE = re.compile(
    r"(?:https?|ftp)://(?P<host>\[[\da-f:.]+\]|[^/?#@:%\[\]]{1,99})(?::\d{0,5})?(?:[/?#]|\Z)"
    r"|mailto:|tel:|#",
    re.IGNORECASE,
)
_NOTE_SCHEMES = ("javascript", "vbscript", "data", "file", "blob")
_LOOKED_AT = 120
_ADDRESS = re.compile(rf"\s*<?(\S{{0,{_LOOKED_AT}}})")
_NOTE = re.compile(r"(?:\[|&#91;)\^[^\[\]]*\Z")
_NO_ADDRESS = re.compile(r"[`<\"\[]|~~~|\$\$")
_WEB_SCHEME = re.compile(r"\s*(?:https?|ftp)(?=://)", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\\\\\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]"
)
# What follows the address of a definition: nothing, or a title that ends on its line.
# JupyterLab lets one that does not end there run over paragraphs and code.
_PLAIN = r"\\\n`<$\[\]!~"
_TITLE = rf"(?:\"[^\"{_PLAIN}]*\"|'[^'{_PLAIN}]*'|\([^(){_PLAIN}]*\))"
_END_OF_DEFINITION = re.compile(
    rf"[ \t]*(?:[ \t]{_TITLE}[ \t]*)?(?:\Z|\n(?![ \t]*[\"'(]))"
)
_OPEN_TITLE = re.compile(rf"[ \t]*\n?[ \t]*(?!{_TITLE})[\"'(]")

_TABLE = re.compile(r"^[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*\|", re.MULTILINE)


def _entities(marks: Iterable[str]) -> dict[int, str]:
    return str.maketrans({mark: f"&#{ord(mark)};" for mark in marks})


_ENTITIES = _entities(set(string.punctuation) - set(",;?'%/-="))
_DEFUSED = _entities("$()[]{")


def is_inert(code: str) -> bool:
    """Return whether `code` does nothing where a renderer takes it for prose."""
    return _CODE_AT_RISK.search(code) is None and MATH.search(code) is None


def sanitize_prose(text: str, *, clear: bool = True, formulas: bool = False) -> str:
    """Return lines of Markdown between blank lines with nothing in them that acts."""
    if _MARK.search(text) is None:
        return text
    return _Prose(text, clear=clear, formulas=formulas).written()


class _Prose:
    def __init__(self, text: str, *, clear: bool, formulas: bool) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._partners = _partners(self._tokens)
        self._clear = clear
        self._formulas = formulas
        self._has_formulas = formulas or MATH.search(text) is not None
        self._next = 0  # index of the next token
        self._place = 0  # everything before it is written

    @cached_property
    def _in_table(self) -> bool:
        return _TABLE.search(self._text) is not None

    def written(self) -> str:
        parts: list[str] = []
        while self._next < len(self._tokens):
            token = self._tokens[self._next]
            if token.start() < self._place:  # inside what is written already
                self._next += 1
                continue
            parts.append(self._plain(token.start()))
            self._place = token.end()
            self._clear = self._clear and token.lastgroup in ("ticks", "quote")
            parts.append(getattr(self, token.lastgroup or "")(token))
            self._next += 1
        parts.append(self._plain(len(self._text)))
        return "".join(parts)

    def _plain(self, end: int) -> str:
        plain = self._text[self._place : end]
        self._clear = self._clear and _UNCLEAR.search(plain) is None
        return plain

    def _partner(self) -> re.Match[str] | None:
        """Return the token that closes this one, and go on after it."""
        place = self._partners[self._next]
        if place is None:
            return None
        self._next, last = place, self._tokens[place]
        self._place = last.end()
        return last

    # One writer for each kind of token, named as its group is.

    def dollar(self, token: re.Match[str]) -> str:
        self._formulas = True
        if not _closer(token):
            return token[0]
        first = self._next
        last = self._partner()
        if last is not None:
            return token[0] + _made_inert(self._within(first)) + last[0]
        # nbconvert would look for its end beyond the paragraph, also in code.
        return token[0] if token[0] == "$" else token[0].translate(_DEFUSED)

    bracket = environment = dollar

    def _within(self, first: int) -> str:
        """Return the text between the marks of a formula, closed in itself.

        Only the longer marks are looked for beyond the end of a paragraph. Those of a
        short formula may enclose one that has no end.
        """
        place, parts = self._tokens[first].end(), []
        inner = self._next if _is_long(self._tokens[first]) else first + 1
        while inner < self._next:
            token, partner = self._tokens[inner], self._partners[inner]
            if _is_long(token) and partner is not None and partner < self._next:
                inner = partner
            elif _is_long(token):
                parts.append(self._text[place : token.start()])
                parts.append(token[0].translate(_DEFUSED))
                place = token.end()
            inner += 1
        return "".join([*parts, self._text[place : self._tokens[self._next].start()]])

    def ticks(self, token: re.Match[str]) -> str:
        last = None if token[0].startswith("\\") else self._partner()
        if last is None:
            self._clear = False
            return token[0].replace("`", "&#96;") if len(token[0]) > 2 else token[0]
        content = self._text[token.end() : last.end() - len(token[0])]
        if self._stays(content, len(token[0])):
            return token[0] + content + token[0]
        self._clear = False
        return self._as_element(content)

    def _stays(self, content: str, ticks: int) -> bool:
        if self._has_formulas and '"' in content:
            return False
        if ticks < 3 and not _CODE_AT_RISK.search(content):
            self._clear = self._clear and ticks == 1 and is_inert(content)
            return True
        plain = "\n" not in content and "\\" not in content and "~~~" not in content
        return self._clear and ticks == 1 and plain and not self._has_formulas

    def _as_element(self, content: str) -> str:
        line = content.replace("\n", " ")
        if line.strip(" ") and line[0] == line[-1] == " ":
            line = line[1:-1]
        if self._in_table:
            line = line.replace("\\|", "|")
        return f"<code>{line.translate(_ENTITIES)}</code>"

    def escape(self, token: re.Match[str]) -> str:
        if token[0] == "\\<":
            return "&lt;"
        return self.quote(token) if token[0] == '\\"' else token[0]

    def image(self, token: re.Match[str]) -> str:
        before = "\\!" * (len(token[0]) - 2)
        picture = _PICTURE.match(self._text, token.end() - 2)
        if picture is not None:
            self._place = picture.end()
            return before + picture[0]
        shown = _SHOWN_IMAGE.match(self._text, token.start())
        if shown is None:
            return f"{before}\\!["
        return before + ("[" if shown[1].strip() else "[image")

    def target(self, token: re.Match[str]) -> str:
        if _is_safe_target(self._text, token, quotes=not self._formulas):
            return token[0]
        shown = f"]\\{token[0][1]}"
        scheme = _WEB_SCHEME.match(self._text, token.end())
        if scheme is None:
            return shown
        self._place = scheme.end()  # nor may the bare address become a link
        return f"{shown}{scheme[0]}\\"

    def tag(self, token: re.Match[str]) -> str:
        for kept in (_PLAIN_TAG, _AUTOLINK):
            found = kept.match(self._text, token.start())
            if found is not None:
                self._place = found.end()
                return found[0]
        return "&lt;"

    def quote(self, token: re.Match[str]) -> str:
        # JupyterLab puts a formula back where it was, also into a link's title: a
        # quotation mark in it would end the title and begin another attribute.
        return "&quot;" if self._formulas else token[0]

    def tildes(self, token: re.Match[str]) -> str:
        return token[0].replace("~", "&#126;")


def _tokens(text: str) -> Iterator[re.Match[str]]:
    place = 0
    while (mark := _MARK.search(text, place)) is not None:
        token = _TOKEN.match(text, mark.start())
        place = mark.end() if token is None else token.end()
        if token is not None:
            yield token


def _partners(tokens: Sequence[re.Match[str]]) -> list[int | None]:
    """Return for each token the index of the next one that closes it."""
    found: list[int | None] = [None] * len(tokens)
    next_one: dict[str, int] = {}
    for place in range(len(tokens) - 1, -1, -1):
        token = tokens[place]
        found[place] = next_one.get(_closer(token))
        next_one[_name(token)] = place
    return found


def _name(token: re.Match[str]) -> str:
    text = token[0]
    if token.lastgroup == "bracket":
        return text[-1]
    return text.lstrip("\\") if token.lastgroup in ("ticks", "environment") else text


def _closer(token: re.Match[str]) -> str:
    name = _name(token)
    match token.lastgroup:
        case "ticks":
            return name
        case "dollar" if not name.startswith("\\"):
            return name
        case "bracket":
            return {"(": ")", "[": "]"}.get(name, "")
        case "environment" if name.startswith("begin"):
            return name.replace("begin", "end", 1)
    return ""


def _is_long(token: re.Match[str]) -> bool:
    """Return whether a formula begins here that may go beyond the paragraph."""
    return token[0] == "$$" or _closer(token).startswith(("]", "end"))


def _made_inert(formula: str) -> str:
    """Return a formula that says the same and, taken for prose, does nothing."""
    formula = re.sub("<(?=[A-Za-z/!?])", "< ", formula)
    formula = formula.replace("![", "! [").replace('"', "''")
    formula = re.sub(r"\](?=[(:])", "] ", formula)
    return re.sub("`{3,}", "'''", re.sub("~{3,}", "~ ~ ~", formula))


def _is_safe_target(text: str, target: re.Match[str], *, quotes: bool) -> bool:
    """Return whether what follows ``](`` or ``]:`` is an allowed address."""
    address = _ADDRESS.match(text, target.end())
    if address is None or not address[1]:  # it may follow in what is not seen here
        return False
    if target[0] == "](":
        return leads_elsewhere(address[1].partition(")")[0])
    end = _END_OF_DEFINITION.match(text, address.end())
    if end is not None:
        return leads_elsewhere(address[1]) and (quotes or '"' not in end[0])
    acts = _seen(address[1]).lower().startswith(_NOTE_SCHEMES)
    is_note = _NOTE.search(text[max(0, target.start() - 100) : target.start()])
    return bool(is_note) and not (acts or _OPEN_TITLE.match(text, address.end()))


def leads_elsewhere(address: str) -> bool:
    """Return whether a link may lead to an address: none that is one of this host."""
    found = None if _NO_ADDRESS.search(address) else _SAFE.match(_seen(address))
    host = found["host"] if found else None
    return found is not None and not (host and is_loopback(host.strip("[]")))


def _seen(address: str) -> str:
    """Return an address as a browser reads it in the end."""
    return _UNSEEN.sub("", html.unescape(html.unescape(address)))
