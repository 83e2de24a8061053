"""The words of a line with options: quoted as in a shell, or before a free text."""

from __future__ import annotations

import io
import shlex
from collections.abc import Container

from h2o_magic.errors import ConfigurationError


def words_of(line: str) -> list[str]:
    """Return the words of a line as a shell reads them.

    Raises
    ------
    ConfigurationError
        If a quote is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ConfigurationError(
            f"%%h2o: cannot read the options {line.strip()!r} "
            f"({str(error).lower()}): put text with spaces into quotes"
        ) from error


def leading_options(line: str, takes_value: Container[str]) -> tuple[list[str], str]:
    """Split a line into the words of its leading options and the rest as it stands."""
    words: list[str] = []
    rest = line.strip()
    while rest.startswith("-") and rest[1:2].strip():
        word, rest = _next_word(rest)
        if word == "--":
            break
        words.append(word)
        if word in takes_value and rest:
            value, rest = _next_word(rest)
            words.append(value)
    return words, rest


def _next_word(text: str) -> tuple[str, str]:
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        word = lexer.get_token()
    except ValueError:
        return words_of(text)[0], ""  # raises the error that explains it
    return word or "", stream.read().lstrip()
