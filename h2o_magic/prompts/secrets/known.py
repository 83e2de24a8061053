"""Secrets that are known: keys of servers, and values of variables with such names."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from h2o_magic.prompts.secrets.looks import is_placeholder, looks_random
from h2o_magic.prompts.secrets.matching import places
from h2o_magic.prompts.secrets.names import secrecy
from h2o_magic.prompts.secrets.values import holds_secret

# Every process has some of these, and nothing else has several.
_USUAL = (
    "PATH HOME USER SHELL PWD OLDPWD LANG TERM LOGNAME HOSTNAME SHLVL TMPDIR DISPLAY "
    "VIRTUAL_ENV PYTHONPATH MPLBACKEND USERPROFILE USERNAME APPDATA LOCALAPPDATA TEMP "
    "SYSTEMROOT SYSTEMDRIVE COMSPEC WINDIR PATHEXT PROGRAMFILES COMPUTERNAME"
)
USUAL_VARIABLES = frozenset(_USUAL.split())

#: Shortest value of a variable that is searched for: as a whole text, and in one.
_SHORT, _LONG = 6, 8
#: Shortest key of a server, which is searched for as a word.
_SHORTEST_KEY = 4

# What is typed as a key where a server asks for none.
_NO_KEYS = frozenset(
    {"empty", "none", "null", "test", "local", "localhost", "anything", "token-abc123"}
    | {"ollama", "lm-studio", "lmstudio", "vllm", "llama", "sk-no-key-required"}
    | {"no-key", "nokey", "not-needed", "not-required"}
)


@dataclass(frozen=True, slots=True)
class Known:
    """A secret whose text is known, and where it counts: also as a word, or alone."""

    what: str
    value: str = field(repr=False)
    counts: Literal["anywhere", "as a word", "alone"] = "anywhere"

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield its spans in a text."""
        if self.counts == "alone":
            if text.strip() == self.value:
                yield 0, len(text)
            return
        for start in places(self.value, text):
            end = start + len(self.value)
            if self.counts == "anywhere" or _is_word(text, start, end):
                yield start, end


def of_servers(keys: Iterable[str]) -> Iterator[Known]:
    """Yield the keys of known servers, and how they look in addresses and headers."""
    for key in {key.strip(): None for key in keys}:
        if len(key) < _SHORTEST_KEY or _is_no_key(key):
            continue
        is_word = len(key) < _LONG or key.isalpha() or key.isdigit()
        what = "the key of a known server"
        yield Known(what, key, "as a word" if is_word else "anywhere")
        if len(key) >= _LONG:
            for form in _other_forms(key):
                yield Known(what, form)


def of_environment(environment: Mapping[str, str]) -> Iterator[Known]:
    for name, value in environment.items():
        if name not in USUAL_VARIABLES and _may_be_searched(name, value):
            yield _of_variable(f"the environment variable {name}", value)


def of_notebook(variables: Mapping[str, object]) -> Iterator[Known]:
    """Yield the secrets in a notebook's variables, by their names.

    A ``token`` may also be one of a text: its value must look like a secret, too.
    """
    for name, value in tuple(variables.items()):
        if not isinstance(value, str) or not _may_be_searched(name, value):
            continue
        if secrecy(name) == "surely" or looks_random(value):
            yield _of_variable(f"the value of {name}", value)


def _of_variable(what: str, value: str) -> Known:
    alone = value.isalpha() or len(value) < _LONG
    return Known(what, value, "alone" if alone else "anywhere")


def _may_be_searched(name: str, value: str) -> bool:
    return (
        len(value) >= _SHORT
        and secrecy(name) != "no"
        and holds_secret(name, value)
        and not _is_path(value)
    )


def _is_path(value: str) -> bool:
    """Return whether a path exists or has a suffix: a key may begin with a slash."""
    path = os.path.expanduser(value)
    if not os.path.isabs(path) or "\0" in path:
        return False
    return bool(os.path.splitext(path)[1]) or os.path.exists(path)


def _is_word(text: str, start: int, end: int) -> bool:
    """Return whether a span is no part of a longer word, also in a string's source."""
    before, after = text[max(0, start - 2) : start], text[end : end + 1]
    begins = before in ("\\n", "\\r", "\\t") or not re.match(r"\w", before[-1:])
    return begins and not re.match(r"\w", after)


def _is_no_key(key: str) -> bool:
    stand_in = key.lower() in _NO_KEYS or is_placeholder(key)
    return stand_in and not looks_random(key)


def _other_forms(key: str) -> set[str]:
    data = key.encode()
    encoded = {_in_base64(data, place) for place in range(3)}
    escaped = {quote(key, safe=""), json.dumps(key)[1:-1]} - {key}
    return escaped | encoded | {e.replace("+", "-").replace("/", "_") for e in encoded}


def _in_base64(data: bytes, place: int) -> str:
    """Return the characters of base64 that `data` makes alone, after `place` bytes."""
    encoded = base64.b64encode(b"\0" * place + data).decode()
    return encoded[-(place * -8 // 6) : (place + len(data)) * 8 // 6]
