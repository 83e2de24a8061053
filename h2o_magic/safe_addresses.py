"""Where links of foreign Markdown may lead: to the web, to mail, to files beside."""

from __future__ import annotations

import html
import re

__all__ = ["leads_safely"]

_SAFE_SCHEMES = {"http", "https", "mailto", "ftp", "tel"}
_NOTE_SCHEMES = ("javascript", "vbscript", "data", "file", "blob")
_LOOKED_AT = 120
_ADDRESS = re.compile(rf"\s*<?(\S{{0,{_LOOKED_AT}}})")
_NOTE = re.compile(r"(?:\[|&#91;)\^[^\[\]]*\Z")
_NO_ADDRESS = re.compile(r"[`<\"\[]|~~~|\$\$")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
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


def leads_safely(text: str, target: re.Match[str], *, quotes: bool) -> bool:
    """Tell whether what follows ``](`` or ``]:`` is an address that a link may have.

    Parameters
    ----------
    text
        The text that it stands in.
    target
        Where ``](`` or ``]:`` is in it.
    quotes
        False if quotation marks there will be changed, and so begin no title.
    """
    address = _ADDRESS.match(text, target.end())
    if address is None or not address[1]:  # it may follow in what is not seen here
        return False
    if target[0] == "](":
        return _is_safe(address[1].partition(")")[0])
    if _NOTE.search(text[max(0, target.start() - 100) : target.start()]):
        acts = _seen(address[1]).lower().startswith(_NOTE_SCHEMES)
        return not (acts or _OPEN_TITLE.match(text, address.end()))
    end = _END_OF_DEFINITION.match(text, address.end())
    if end is None or ('"' in end[0] and not quotes):
        return False
    return _is_safe(address[1])


def _is_safe(address: str) -> bool:
    """Tell whether a link may lead to `address`, of which the beginning is given."""
    if _NO_ADDRESS.search(address):
        return False
    seen = _seen(address)
    scheme = _SCHEME.match(seen)
    if scheme is not None:
        return scheme[1].lower() in _SAFE_SCHEMES
    return len(address) < _LOOKED_AT or re.search("[/?#]", seen) is not None


def _seen(address: str) -> str:
    """Return an address as a browser reads it in the end."""
    return _UNSEEN.sub("", html.unescape(html.unescape(address)))
