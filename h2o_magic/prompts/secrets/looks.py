"""What values look like: random, as a key is, or a word, a path, a placeholder."""

from __future__ import annotations

import re

from h2o_magic.prompts.secrets.names import words_in

# Values in place of a secret.
_STAND_INS = {
    *("none", "null", "nan", "true", "false", "yes", "no", "string", "str", "text"),
    *("required", "optional", "hidden", "masked", "redacted"),
}
_MASK = re.compile(r"[\s*•·.…#_\-]+|[xX]{3,}|<[^<>]*>|\$?\{[^{}]*\}")

# What documentation writes in place of a secret.
_PLACEHOLDER_WORDS = {
    *("your", "yours", "example", "sample", "placeholder", "changeme", "dummy", "fake"),
    *("insert", "replace", "replaceme", "here", "todo"),
}
_PLACEHOLDER = re.compile(
    r"\.{3}|…|\*{3}|[xX]{4}|EXAMPLE"
    r"|^(?:\$[A-Z_][A-Z0-9_]*|\$[a-z_]+|\$[({].*|%\(?\w*\)?[sd]|%[A-Za-z_]+%|<.*|\{.*)$"
)

#: A word, an address in dots, a column, a number or a path.
_PLAIN = re.compile(
    r"[A-Za-z][A-Za-z_.:]*(?:-[A-Za-z_]+)?|[\d\s.,:/+-]+|(?:~|\.{0,2})/.*|[A-Za-z]:\\.*"
    r"|\w+://.*"
)
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Shortest value of a variable in capitals; longest word that a name may be.
_SHORT, _LONG = 7, 16


def unmasked(text: str) -> bool:
    """Return whether a text is not empty, masked or a word for a missing value."""
    plain = text.strip()
    stand_in = plain.lower().strip("<>[]()") in _STAND_INS
    return bool(plain) and not stand_in and not _MASK.fullmatch(plain[:1000])


def is_placeholder(text: str) -> bool:
    """Return whether a text is in place of a secret: ``your-api-key``, ``sk-...``."""
    return (
        not unmasked(text)
        or _PLACEHOLDER.search(text) is not None
        or not _PLACEHOLDER_WORDS.isdisjoint(words_in(text[:1000]))
    )


def looks_random(text: str) -> bool:
    """Return whether a text is one long word with letters and digits."""
    return (
        len(text) >= 16
        and not re.search(r"\s", text)
        and re.search(r"\d", text) is not None
        and re.search(r"[A-Za-z]", text) is not None
    )


def looks_like_key(text: str) -> bool:
    """Return whether a text is random in one of its parts, and no UUID or path."""
    return (
        looks_random(text)
        and not _ID.fullmatch(text)
        and not is_placeholder(text)
        and any(map(_is_random, re.split(r"[^A-Za-z0-9+=]+", text)))
    )


def _is_random(part: str) -> bool:
    """Return whether a word changes often between letters and digits, or is long."""
    changes = re.findall(r"[A-Za-z](?=\d)|\d(?=[A-Za-z])", part)
    return len(changes) >= 3 or (bool(changes) and len(part) >= _LONG)


def is_unlike_words(text: str) -> bool:
    """Return whether a text is neither a word or a number nor a path."""
    return (
        len(text) >= _SHORT
        and not re.search(r"\s", text)
        and not _PLAIN.fullmatch(text)
        and not is_placeholder(text)
    )
