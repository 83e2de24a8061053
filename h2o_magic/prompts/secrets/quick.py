"""Whether a text can hold a secret at all: most cannot, which is seen in no time.

Nothing is decided here but that a search would find nothing. What each shape cannot do
without is looked for: a long word, or a sign beside a word.
"""

from __future__ import annotations

from h2o_magic.prompts.secrets.shapes import STARTS

#: Every name of a secret has one of these, in some case.
STEMS = (
    *("pass", "kennwort", "pwd", "secret", "credential", "key", "auth", "bearer"),
    *("token", "cookie", "session"),
)
#: Shortest word that a key is, with what stands before it in the same word.
_LONG = 16
#: What logins and other shapes have that need no long word, or none without spaces.
_ANYWHERE = ("://", "--", "-----BEGIN", "asic ", "asic\t", "BasicAuth(", "machine")


def is_plain(text: str) -> bool:
    """Return whether a text holds nothing that looks like a secret."""
    if "\\" in text or any(sign in text for sign in _ANYWHERE):
        return False
    if "=" in text or ":" in text:
        low = text.lower()
        if any(stem in low for stem in STEMS) or "curl" in text:
            return False
        if "name" in text and "value" in text:
            return False
    words = text.split()
    if max(map(len, words), default=0) < _LONG:
        return True
    long = " ".join(word for word in words if len(word) >= _LONG)
    if "earer" in text or "secret" in text.lower():
        return False
    return not any(start in long for start in STARTS)
