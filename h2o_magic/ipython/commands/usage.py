"""What follows a subcommand's name, read as its usage line says.

The line is the one that help shows: ``NEW [--at N] [--thread NAME | --all]``. A word in
capitals stands for a text, N for a whole number from 1. What is in brackets may be left
out; of what a bar parts only one may be given.
"""

from __future__ import annotations

import re
import reprlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from h2o_magic.errors import ConfigurationError, did_you_mean

_PART = re.compile(r"\[([^]]*)\]|(\S+)")

# Nine digits are more than any count here, and fit every store's numbers.
_NUMBER = r"0*[1-9][0-9]{0,8}"
_MOST = 999_999_999


@dataclass(frozen=True, slots=True)
class Given:
    """What was given after a subcommand's name."""

    command: str
    rest: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def __getitem__(self, name: str) -> str:
        return self.texts[name]

    def text(self, name: str) -> str | None:
        """Return a text, or None if it was left out."""
        return self.texts.get(name)

    def number(self, name: str) -> int | None:
        """Return a whole number, or None if it was left out."""
        text = self.texts.get(name)
        return None if text is None else int(text)


@dataclass(frozen=True, slots=True)
class Usage:
    """A usage line, taken apart.

    Attributes
    ----------
    command, line : str
        The subcommand, and the line.
    required, optional : list of str
        The words that are no options, in their order.
    options : dict
        What stands after each option; empty for a switch.
    exclusive : list of list of str
        Options of which only one may be given.
    """

    command: str
    line: str
    required: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    exclusive: list[list[str]] = field(default_factory=list)


def read(command: str, usage: str, rest: str) -> Given:
    """Read what follows a subcommand's name.

    Parameters
    ----------
    command
        The subcommand, for messages.
    usage
        Its usage line.
    rest
        What was typed after its name. Quotes keep a text with blanks together; a
        backslash stands for itself, as in paths on Windows.

    Raises
    ------
    ConfigurationError
        If something is missing, unknown or too much.
    """
    known = take_apart(command, usage)
    texts: dict[str, str] = {}
    loose: list[str] = []
    words = iter(_words(command, rest))
    for word in words:
        if word.startswith("-") and word != "-":
            name, text = _option(known, word, words)
            texts[name] = text
        else:
            loose.append(word)
    for together in known.exclusive:
        _refuse_two(command, [name for name in together if name in texts])
    texts.update(_placed(known, loose))
    return Given(command, rest, texts)


def take_apart(command: str, line: str) -> Usage:
    """Return what a usage line says."""
    usage = Usage(command, line)
    for inside, word in _PART.findall(line):
        if word:
            usage.required.append(word)
        elif inside.startswith("-"):
            choices = [choice.split() for choice in inside.split("|")]
            usage.options.update({name: "".join(value) for name, *value in choices})
            usage.exclusive.append([choice[0] for choice in choices])
        else:
            usage.optional.append(inside)
    return usage


def _words(command: str, rest: str) -> list[str]:
    lexer = shlex.shlex(rest, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise ConfigurationError(
            f"%h2o {command}: cannot read {rest!r} ({str(error).lower()}): a text with "
            "quotes in it stands in quotes of the other kind"
        ) from error


def _option(usage: Usage, word: str, words: Iterator[str]) -> tuple[str, str]:
    """Return an option's name and its text, which may be the next of `words`."""
    name, equals, text = word.partition("=")
    if name not in usage.options:
        raise ConfigurationError(_unknown_option(usage, name))
    wanted = usage.options[name]
    if not wanted:
        if equals:
            raise ConfigurationError(f"%h2o {usage.command}: {name} takes no text")
        return name, ""
    if not equals:
        text = next(words, "")
    if not text:
        raise ConfigurationError(
            f"%h2o {usage.command}: expected {wanted} after {name}, got nothing"
        )
    return name, _checked(usage, f"after {name}", wanted, text)


def _unknown_option(usage: Usage, name: str) -> str:
    said = f"%h2o {usage.command}: unknown option {name}"
    if not usage.options:
        return f"{said}: it has none"
    return f"{said}: {did_you_mean(name, usage.options)}"


def _placed(usage: Usage, loose: list[str]) -> dict[str, str]:
    """Return the words that are no options, by the names of their places."""
    places = [*usage.required, *usage.optional]
    if len(loose) < len(usage.required):
        raise ConfigurationError(
            f"%h2o {usage.command}: expected {usage.required[len(loose)]}, "
            f"got nothing: `%h2o {usage.command} {usage.line}`"
        )
    if len(loose) > len(places):
        extra = " ".join(loose[len(places) :])
        after = f"after {' '.join(places)}" if places else "after it"
        hint = ": put a text with blanks into quotes" if places else ""
        raise ConfigurationError(
            f"%h2o {usage.command}: expected nothing {after}, got {extra!r}{hint}"
        )
    return {
        place: _checked(usage, f"for {place}", place, text)
        for place, text in zip(places, loose, strict=False)
    }


def _checked(usage: Usage, where: str, wanted: str, text: str) -> str:
    if wanted == "N" and not re.fullmatch(_NUMBER, text):
        raise ConfigurationError(
            f"%h2o {usage.command}: expected a whole number from 1 to {_MOST:,} "
            f"{where}, got {reprlib.repr(text)}"
        )
    return text


def _refuse_two(command: str, names: list[str]) -> None:
    if len(names) > 1:
        raise ConfigurationError(
            f"%h2o {command}: {' and '.join(names)} exclude each other: give one"
        )
