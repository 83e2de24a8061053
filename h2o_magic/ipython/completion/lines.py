"""What fits on a ``%%h2o`` line and on a ``%h2o`` line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter
from h2o_magic.ipython import commands
from h2o_magic.ipython.commands.usage import looks_like_option, parse_usage
from h2o_magic.ipython.completion import names
from h2o_magic.ipython.completion.cursor import (
    CellLine,
    Command,
    Offer,
    Prompt,
    Typed,
    fitting,
    split,
)
from h2o_magic.ipython.completion.values import Values
from h2o_magic.ipython.options import option_actions

#: The word by which a usage line names the options of a question.
_QUESTION_OPTIONS = "options"


class Option(NamedTuple):
    """What an option takes: nothing, if it has no metavar."""

    metavar: str = ""
    setting: Parameter | None = None


def on_cell_line(place: CellLine, values: Values) -> tuple[str, list[Offer]]:
    """Return the word at the cursor so far, and its completions."""
    typed = split(place.before)
    options = options_of(option_actions())
    fragment, found = option_or_value(typed, options, values, place.after)
    if not typed.words and fragment and "map".startswith(fragment):
        found = [Offer("map", "subcommand", lambda: "ask row by row"), *found]
    return fragment, found


def on_command(place: Command, values: Values) -> tuple[str, list[Offer]]:
    """Return the word at the cursor so far, and its completions."""
    typed = split(place.before)
    if not typed.words:
        offers = [
            Offer(name, "subcommand", partial(getattr, command, "help"))
            for name, command in commands.SUBCOMMANDS.items()
        ]
        if typed.fragment.startswith("-"):
            offers = [Offer(name, "option") for name in ("--help", "--version")]
        return typed.fragment, fitting(typed.fragment, offers)
    command = commands.find(typed.words[0])
    if command is None:
        return typed.fragment, []
    usage = parse_usage(command.name, command.usage)
    options = {
        name: Option(text, SETTINGS["thread"] if name == "--thread" else None)
        for name, text in usage.options.items()
    }
    asks = _QUESTION_OPTIONS in usage.optional
    if asks:
        options |= options_of(option_actions())
    rest = Typed(typed.words[1:], typed.fragment)
    count = count_positional(rest.words, options)
    if (asks and count) or "{" in rest.fragment:
        raw = "--raw" in rest.words
        return names.in_braces(Prompt(place.before, place.after, raw), values)
    fragment, found = option_or_value(rest, options, values, place.after)
    places = [p for p in (*usage.required, *usage.optional) if p != _QUESTION_OPTIONS]
    at_option = fragment.startswith("-") or awaiting(rest, options)
    if count < len(places) and not at_option:
        fits = values.of_place(places[count], unquoted(fragment), command.name)
        found = fitting(fragment, fits, place.after) + found
    return fragment, found


def option_or_value(
    typed: Typed, options: Mapping[str, Option], values: Values, after: str
) -> tuple[str, list[Offer]]:
    """Return the names of options, or the values of the one before the cursor."""
    if found := awaiting(typed, options):
        option, fragment = found
        fits = values.of_option(option.metavar, unquoted(fragment), option.setting)
        return fragment, fitting(fragment, fits, after)
    fragment = typed.fragment
    return fragment, [
        Offer(name, "option")
        for name in options
        # Short ones are offered only where one may be meant.
        if name.startswith(fragment) and (fragment or name.startswith("--"))
    ]


def awaiting(typed: Typed, options: Mapping[str, Option]) -> tuple[Option, str] | None:
    """Return the option whose value is at the cursor, and the value so far."""
    name, equals, fragment = typed.fragment.partition("=")
    if equals and name in options:
        return options[name], fragment
    before = options.get(typed.words[-1]) if typed.words else None
    if before is not None and before.metavar:
        return before, typed.fragment
    return None


def count_positional(words: Sequence[str], options: Mapping[str, Option]) -> int:
    """Return how many of the words are neither options nor values of options."""
    count, before = 0, None
    for word in words:
        value = before is not None and before.metavar
        before = None if value else options.get(word)
        count += not (value or looks_like_option(word))
    return count


def unquoted(fragment: str) -> str:
    return fragment[1:] if fragment[:1] in ("'", '"') else fragment


def options_of(actions: Iterable[argparse.Action]) -> dict[str, Option]:
    """Return the options of a parser by name, in the order of their help."""
    return {
        name: Option(str(action.metavar or ""), SETTINGS.get(action.dest))
        for action in actions
        for name in action.option_strings
    }
