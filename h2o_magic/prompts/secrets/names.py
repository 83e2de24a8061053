"""Names of secrets, and what values under them are secrets.

The last word of a name says what it names: ``api_token`` is a token, ``token_count`` a
count. Numbers and booleans are not secrets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal

#: Whether a name is a secret's. With "maybe" the value must look like a secret, too: a
#: column of tokens may be one of words.
Secrecy = Literal["surely", "maybe", "no"]

# ``HFToken`` has two words, as ``hf_token`` has; ``getAPIKey`` has three.
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Last words that change nothing: ``password2``, ``api_key_prod``.
_MEANINGLESS = _words_of(
    "value text str string plain plaintext raw hash header b64 base64 hex env prod "
    "production dev test staging old new current default"
)
_SURE = _words_of(
    "password passwd passphrase passwort kennwort pwd secret credential apikey "
    "authorization bearer privatekey secretkey accesskey authtoken accesstoken "
    "apitoken"
)
_SURE_ENDS = ("password", "passwd", "passphrase", "passwort", "apikey", "privatekey")
_MAYBE = _words_of("token cookie sessionid")

# A key is a secret only after one of these; most keys are those of tables.
_BEFORE_KEY = _words_of(
    "api private secret access auth encryption encrypt signing ssh account master "
    "fernet license openai anthropic azure hf huggingface mistral cohere gemini google "
    "groq deepseek openrouter stripe github gitlab"
)
_BEFORE_PASS = _words_of("db smtp mail email user admin root mysql ftp http proxy")
_BEFORE = {"key": _BEFORE_KEY, "pass": _BEFORE_PASS}
# A token after one of these is one of a text, of a grammar or of a list's pages.
_BEFORE_TEXT_TOKEN = _words_of(
    "eos bos pad unk sep cls mask special stop start end first last next prev previous "
    "page continuation word text image audio max min new num sub begin"
)

# Values in place of a secret.
_STAND_INS = _words_of(
    "none null nan true false yes no string str text required optional hidden masked "
    "redacted"
)
_MASK = re.compile(r"[\s*•·.…#_\-]+|[xX]{3,}|<[^<>]*>|\$?\{[^{}]*\}")

# What documentation writes in place of a secret.
_PLACEHOLDER_WORDS = _words_of(
    "your yours example sample placeholder changeme dummy fake insert replace "
    "replaceme here todo"
)
_PLACEHOLDER = re.compile(
    r"\.{3}|…|\*{3}|[xX]{4}"
    r"|^(?:\$[A-Z_][A-Z0-9_]*|\$[a-z_]+|\$[({].*|%\(?\w*\)?[sd]|%[A-Za-z_]+%|<.*|\{.*)$"
)

#: How much of a value under a secret's name is searched.
_ITEMS = 50
_DEPTH = 3


def secrecy(name: object) -> Secrecy:
    words = _words(name)
    if not words:
        return "no"
    last, before = _singular(words[-1]), words[-2] if len(words) > 1 else ""
    if last in _SURE or last.endswith(_SURE_ENDS) or before in _BEFORE.get(last, ()):
        return "surely"
    if last == "token" and words != ["token"]:
        return _secrecy_of_token(words)
    may_be = last in _MAYBE or words[-2:] == ["session", "id"]
    return "maybe" if may_be else "no"


def holds_secret(name: object, value: object) -> bool:
    """Return whether the value under a secret's name is a secret."""
    last = _words(name)[-1]
    if last == "pwd" and isinstance(value, str) and os.path.isabs(value):
        return False  # the current folder, as a shell names it
    return _holds_secret(value, plural=last != _singular(last), depth=_DEPTH)


def unmasked(text: str) -> bool:
    """Return whether a text is not empty, masked or a word for a missing value."""
    plain = text.strip()
    stand_in = plain.lower().strip("<>[]()") in _STAND_INS
    return bool(plain) and not stand_in and not _MASK.fullmatch(plain[:1000])


def is_placeholder(text: str) -> bool:
    """Return whether a text is in place of a secret: ``your-api-key``, ``sk-...``."""
    words = (word.lower() for word in _WORD.findall(text[:1000]))
    return (
        not unmasked(text)
        or _PLACEHOLDER.search(text) is not None
        or not _PLACEHOLDER_WORDS.isdisjoint(words)
    )


def looks_random(text: str) -> bool:
    """Return whether a text is one long word with letters and digits."""
    return (
        len(text) >= 16
        and not re.search(r"\s", text)
        and re.search(r"\d", text) is not None
        and re.search(r"[A-Za-z]", text) is not None
    )


def _holds_secret(value: object, *, plural: bool, depth: int) -> bool:
    if isinstance(value, str):
        return unmasked(value)
    if isinstance(value, (bytes, bytearray)):
        return bool(value)
    return depth > 0 and any(
        _holds_secret(each, plural=plural, depth=depth - 1)
        for each in islice(_inner(value, plural=plural), _ITEMS)
    )


def _inner(value: object, *, plural: bool) -> Iterable[object]:
    """Return what a collection holds; a mapping under ``password`` describes one."""
    if isinstance(value, Mapping):
        return value.values() if plural else ()
    return value if isinstance(value, (list, tuple, set, frozenset)) else ()


def _words(name: object) -> list[str]:
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if not isinstance(name, str) or len(name) > 200:
        return []
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _MEANINGLESS):
        words.pop()
    # The id of an access key is not the secret.
    return words[:-1] if words[-3:] == ["access", "key", "id"] else words


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _secrecy_of_token(words: list[str]) -> Secrecy:
    if len(words) == 1 or words[-2] in _BEFORE_TEXT_TOKEN:
        return "no"
    # ``prompt_tokens`` are counted, ``access_tokens`` are secrets.
    plural = words[-1] == "tokens"
    secret = words[-2] in {"access", "api", "auth", "bearer", "refresh", "session"}
    return "surely" if secret or not plural else "no"
