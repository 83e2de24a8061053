"""The key and the cookies of a request, masked in whatever comes back.

Pure. A server, or a proxy before it, may repeat them anywhere: in an answer, a model's
name, an error, a header. They are masked where the bytes enter, however they are
spelled there; a text that is joined from several events is masked once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from h2o_magic.errors import BackendError

_MARKER = "***"
#: Characters; a shorter key is also part of other words, and a shorter cookie may be a
#: word that says what the user has chosen.
_MIN_KEY, _MIN_COOKIE = 6, 16
#: What is given in place of a key where none is needed, in lower case: words that
#: answers and lists of models have, too.
_PLACEHOLDERS = frozenset(
    (
        *("anything", "api-key", "api_key", "apikey", "bearer", "changeme", "default"),
        *("dummy-key", "fake-key", "h2ogpt", "litellm", "llama.cpp", "llamacpp"),
        *("lm-studio", "lmstudio", "local-ai", "localai", "localhost", "mistral"),
        *("no-key", "nokey", "no-key-required", "not-needed", "notneeded", "nothing"),
        *("not-required", "not-used", "ollama", "openai", "optional", "password"),
        *("placeholder", "required", "secret", "sk-no-key-required", "sglang"),
        *("string", "unknown", "unused", "whatever", "xinference", "your-api-key"),
    )
)
#: Spellings of a character: in JSON, in JSON within JSON, and in HTML.
_ESCAPED = r"\\{{1,4}}u00(?i:{0:02x})|&#0{{0,4}}{0};|&#[xX]0{{0,4}}(?i:{0:x});"
#: Characters with a short form in JSON, too.
_SHORT = '/"\\'
_LONGEST_SPELLING = 16  # characters for one
#: Without one of these, characters stand for themselves. Zero bytes are between those
#: of UTF-16, and are left out of answers.
_SIGNS = ("&#", "\0")
_ESCAPE, _ESCAPE_OF_ASCII = "\\u00", re.compile(r"\\u00[2-7]")


class Secrets:
    """What was sent to one server, to be replaced by ``***``; false if nothing."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        cookies = headers.get("Cookie", "").split("; ")
        values = {cookie.partition("=")[2].strip('"') for cookie in cookies}
        found = {value for value in values if len(value) >= _MIN_COOKIE}
        key = headers.get("Authorization", "").partition(" ")[2]
        if len(key) >= _MIN_KEY and key.lower() not in _PLACEHOLDERS:
            found.add(key)
        self.values = tuple(sorted(found, key=len, reverse=True))
        short = {f"\\{char}" for char in _SHORT if char in "".join(found)}
        self._signs = (*self.values, *_SIGNS, *short)

    def __bool__(self) -> bool:
        return bool(self.values)

    def masked(self, text: str) -> str:
        if self.values and (
            any(sign in text for sign in self._signs)
            or (_ESCAPE in text and _ESCAPE_OF_ASCII.search(text))
        ):
            return _pattern(self.values).sub(_MARKER, text)
        return text

    def masked_chunks(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield a body masked; of its last line only what no secret can begin."""
        pending, longest = b"", _LONGEST_SPELLING * max(map(len, self.values))
        try:
            for chunk in chunks:
                pending += chunk
                del chunk  # tracebacks may show what frames hold
                pending = self.masked(pending.decode("latin-1")).encode("latin-1")
                line = max(pending.rfind(b"\n"), pending.rfind(b"\r")) + 1
                ready = max(line, len(pending) - longest)
                yield pending[:ready]
                pending = pending[ready:]
        except BackendError:
            yield pending
            raise
        yield pending


@lru_cache(maxsize=16)
def _pattern(values: tuple[str, ...]) -> re.Pattern[str]:
    spelled = ("\0{0,3}".join(map(_spellings, value)) for value in values)
    return re.compile("|".join(spelled))


def _spellings(char: str) -> str:
    escaped = _ESCAPED.format(ord(char))
    short = rf"|\\{{1,4}}{re.escape(char)}" if char in _SHORT else ""
    return f"(?:{re.escape(char)}|{escaped}{short})"
