"""What follows a command's name, read as its usage line says.

The line is the one that help shows: ``NEW [--at N] [--thread NAME | --all]``. A word in
capitals stands for a text, N for a whole number from 1. What is in brackets may be left
out; options with a bar between them exclude each other.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from h2o_magic.config.command_line import Word, split
from h2o_magic.errors import ConfigurationError, did_you_mean

_PART = re.compile(r"\[([^]]*)\]|(\S+)")

# Nine digits are more than any count here, and fit every store's numbers.
_NUMBER = r"0*[1-9][0-9]{0,8}"
_MOST = 999_999_999


class Arguments(dict[str, str]):
    """The arguments of a command by name, and the rest of its line."""

    def __init__(self, command: str, rest: str, **values: str) -> None:
        super().__init__(values)
        self.command = command
        self.rest = rest

    def number(self, name: str) -> int | None:
        """Return a whole number, or None if it was left out."""
        return int(self[name]) if name in self else None


@dataclass(frozen=True, slots=True)
class Usage:
    """A parsed usage line."""

    command: str
    line: str
    required: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)  # value, empty for a switch
    exclusive: list[list[str]] = field(default_factory=list)


def parse(
    command: str, usage: str, rest: str, fill: Callable[[str], str] = str
) -> Arguments:
    """Read what follows a command's name; `fill` puts values into its words.

    What is in quotes, and all behind ``--``, is no option. Of a line that asks for help
    there is only ``--help``.
    """
    known = parse_usage(command, usage)
    values: dict[str, str] = {}
    positional: list[str] = []
    words = split(rest, f"%h2o {command}: ")
    for word in words:
        if word.text in ("-h", "--help") and not word.quoted:
            return Arguments(command, rest, **{"--help": ""})
        if _is_option(word):
            name, value = _option(known, fill(word.text), words, fill)
            values[name] = value
        elif word.text != "--" or word.quoted:
            positional.append(fill(word.text))
        else:
            positional += [fill(word.text) for word in words]
    for names in known.exclusive:
        given = [name for name in names if name in values]
        if len(given) > 1:
            raise ConfigurationError(
                f"%h2o {command}: {' and '.join(given)} cannot be combined: use one"
            )
    values.update(_positional(known, positional))
    return Arguments(command, rest, **values)


def parse_usage(command: str, line: str) -> Usage:
    """Parse a usage line."""
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


def looks_like_option(text: str) -> bool:
    """Return whether a word is an option, known or not: ``-1`` is none."""
    return text.lstrip("-")[:1].isalpha() and text[:1] == "-" != text[2:3]


def _is_option(word: Word) -> bool:
    return not word.quoted and looks_like_option(word.text)


def _option(
    usage: Usage, word: str, words: Iterator[Word], fill: Callable[[str], str]
) -> tuple[str, str]:
    """Return an option's name and its value, which may be the next of `words`."""
    name, equals, value = word.partition("=")
    if name not in usage.options:
        hint = did_you_mean(name, usage.options) if usage.options else "it takes none"
        raise ConfigurationError(f"%h2o {usage.command}: unknown option {name}: {hint}")
    wanted = usage.options[name]
    if not wanted:
        if equals:
            raise ConfigurationError(f"%h2o {usage.command}: {name} takes no value")
        return name, ""
    following = Word(value, quoted=True) if equals else next(words, Word(""))
    value = value if equals else fill(following.text)
    if not value or _is_option(following):
        raise ConfigurationError(
            f"%h2o {usage.command}: expected {wanted} after {name}, "
            f"got {following.text or 'nothing'}"
        )
    return name, _checked(usage, f"after {name}", wanted, value)


def _positional(usage: Usage, words: list[str]) -> dict[str, str]:
    """Return the words that are not options, by the names of their places."""
    places = [*usage.required, *usage.optional]
    if len(words) < len(usage.required):
        raise ConfigurationError(
            f"%h2o {usage.command}: expected {usage.required[len(words)]}, "
            f"got nothing: `%h2o {usage.command} {usage.line}`"
        )
    if len(words) > len(places):
        extra = " ".join(words[len(places) :])
        after = f"after {' '.join(places)}" if places else "after it"
        hint = ": put text with spaces in quotes" if places else ""
        raise ConfigurationError(
            f"%h2o {usage.command}: expected nothing {after}, got {extra!r}{hint}"
        )
    return {
        place: _checked(usage, f"for {place}", place, word)
        for place, word in zip(places, words, strict=False)
    }


def _checked(usage: Usage, where: str, wanted: str, value: str) -> str:
    if wanted == "N" and not re.fullmatch(_NUMBER, value):
        raise ConfigurationError(
            f"%h2o {usage.command}: expected a whole number from 1 to {_MOST:,} "
            f"{where}, got {reprlib.repr(value)}"
        )
    return value
