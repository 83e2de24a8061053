"""How many tokens a text has, about: no model's tokenizer is at hand."""

from __future__ import annotations

import re

#: With many models each digit stands alone, and so does the space before one.
_PARTS = re.compile(
    r"(?P<code>(?<![A-Za-z0-9])[A-Za-z]*[0-9]+[A-Za-z][A-Za-z0-9]*)"
    r"|(?P<word>[A-Z]?[a-z]+)|(?P<capitals>[A-Z]+)|(?P<spaces>[ \t]{2,})"
    r"|(?P<one>-{2,}|={2,}|[0-9!-/:-@\[-`{-~\n]| (?=[0-9]))|(?P<other>[^\x00-\x7f]+)"
)
#: Proper names and abbreviations are cut into shorter pieces than words.
_NAME = re.compile(r"[A-Z]|[^aeiou]{3}")


def tokens_in(text: str) -> int:
    """Return about how many tokens a text has: rather too many than too few."""
    return sum(map(_tokens, _PARTS.finditer(text)))


def _tokens(part: re.Match[str]) -> int:
    kind, size = part.lastgroup, part.end() - part.start()
    if kind == "word":
        return -(-size // (3 if _NAME.search(part[0]) else 4))
    if kind == "capitals":
        return -(-size // 2)
    if kind == "code":  # a key or a hash: its letters make no words
        return -(-size * 9 // 10)
    if kind == "other":
        # Letters of other scripts have about two thirds of a token a byte, emoji more.
        size = len(part[0].encode("utf-8", "surrogatepass"))
        return size if max(part[0]) > "\U0001f000" else -(-size * 2 // 3)
    return 1
