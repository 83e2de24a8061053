"""A line as people type it: its words, and the quotes around them.

Spaces of any kind separate words. A quote, ``"`` or ``'``, where a word or the value
behind its first ``=`` begins takes everything up to the next such quote. All else
stands for itself: backslashes, apostrophes within words, ``#``, ``$``, ``~``, ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from h2o_magic.errors import ConfigurationError

#: What word processors and web pages make of quotes.
_TYPOGRAPHIC = tuple("“”„‟‘’‚‛«»‹›＂＇")  # noqa: RUF001

_WORD = re.compile(r"""(?=\S)((?:[^\s"'=]+=)?)((?=["'])|\S*)""")
_QUOTED = re.compile(r"""((?:"[^"]*"|'[^']*')*)([^\s"']*)(["']?)""")
_GROUP = re.compile(r"""(["'])(.*?)\1""", re.DOTALL)
_PLAIN = re.compile(rf"""(?!-)[^\s"'{"".join(_TYPOGRAPHIC)}]+""")
_OTHER = "put text that contains a quote in quotes of the other kind"


class Word(NamedTuple):
    """A word, and where in the line it stands; one that begins `quoted` is text."""

    text: str
    start: int = 0
    end: int = 0
    quoted: bool = False


def split(line: str, where: str = "") -> Iterator[Word]:
    """Yield the words; a ConfigurationError at the first that cannot be read.

    `where` is what its message begins with.
    """
    end = 0
    while found := _WORD.search(line, end):
        start, end = found.span()
        name, text = found.groups()
        if text.startswith(_TYPOGRAPHIC):
            remedy = "write straight ones, \" or '"
            why = f"{text[0]} keeps no words together"
            raise _unreadable(where, line[start:], why, remedy)
        if line[end : end + 1] in ('"', "'"):
            text, end = _quoted(where, line, end)
            yield Word(name + text, start, end, quoted=not name)
        else:
            yield Word(name + text, start, end)


def begun(line: str) -> tuple[list[Word], str]:
    """Return the words of a line up to the cursor, and the one at it as it is typed."""
    words: list[Word] = []
    try:
        words.extend(split(line))
    except ConfigurationError:  # a quote is open yet
        return words, line[words[-1].end if words else 0 :].lstrip()
    if words and words[-1].end == len(line):
        return words[:-1], line[words[-1].start :]
    return words, ""


def quote(text: str) -> str:
    """Return `text` as :func:`split` reads it: as one word, and as no option."""
    if _PLAIN.fullmatch(text):
        return text
    parts = re.findall('[^"]+|"+', text) if "'" in text else [text]
    return "".join(f"'{part}'" if '"' in part else f'"{part}"' for part in parts)


def _quoted(where: str, line: str, at: int) -> tuple[str, int]:
    """Return what the quotes at a place hold, with what follows them, and its end."""
    found = next(_QUOTED.finditer(line, at))
    groups, tail, stray = found.groups()
    if stray and not tail:
        raise _unreadable(where, line[at:], "no closing quotation", _OTHER)
    if stray or (tail and line[at + len(groups) - 2] == "\\"):
        why = "a quote ends the text, also behind a backslash"
        raise _unreadable(where, line[at:], why, _OTHER)
    return "".join(text for _, text in _GROUP.findall(groups)) + tail, found.end(2)


def _unreadable(where: str, rest: str, why: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{where}cannot read {rest[:40]!r} ({why}): {remedy}")
