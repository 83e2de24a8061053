"""What fits on a ``%%h2o`` line and on a ``%h2o`` line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter
from h2o_magic.ipython import commands as subcommands
from h2o_magic.ipython.commands.usage import take_apart
from h2o_magic.ipython.completion import names
from h2o_magic.ipython.completion.cursor import CellLine, Command, Prompt
from h2o_magic.ipython.completion.values import Values
from h2o_magic.ipython.completion.words import Offer, Typed, fitting, split
from h2o_magic.ipython.options import help_rows

#: The word by which a usage line names the options of a question.
_OF_A_QUESTION = "options"


@dataclass(frozen=True, slots=True)
class Option:
    """An option by all its names."""

    names: tuple[str, ...]
    metavar: str = ""
    setting: Parameter | None = None


def on_cell_line(place: CellLine, values: Values) -> tuple[str, list[Offer]]:
    """Return what the cursor's word is so far, and what it may become."""
    typed = split(place.before)
    return _option_or_value(typed, _question_options(), values, place.after)


def on_command(place: Command, values: Values) -> tuple[str, list[Offer]]:
    """Return what the cursor's word is so far, and what it may become."""
    typed = split(place.before)
    if not typed.words:
        commands = (Offer(name, "subcommand") for name in subcommands.SUBCOMMANDS)
        switches = (Offer(name, "option") for name in ("--help", "--version"))
        offers = switches if typed.fragment.startswith("-") else commands
        return typed.fragment, fitting(typed.fragment, offers)
    command = subcommands.find(typed.words[0])
    if command is None:
        return typed.fragment, []
    return _after_command(command, place, typed, values)


def _after_command(
    command: subcommands.Subcommand, place: Command, typed: Typed, values: Values
) -> tuple[str, list[Offer]]:
    usage = take_apart(command.name, command.usage)
    options = {name: Option((name,), text) for name, text in usage.options.items()}
    asks = _OF_A_QUESTION in usage.optional
    if asks:
        options |= _question_options()
    rest = Typed(typed.words[1:], typed.fragment)
    loose = _loose(rest.words, options)
    if (asks and loose) or "{" in rest.fragment:
        raw = "--raw" in rest.words
        return names.in_braces(Prompt(place.before, place.after, raw), values.namespace)
    places = [p for p in (*usage.required, *usage.optional) if p != _OF_A_QUESTION]
    wanted = places[loose] if loose < len(places) else ""
    fragment, found = _option_or_value(rest, options, values, place.after)
    if not fragment.startswith("-") and not _awaiting(rest, options):
        fits = values.of_place(wanted, _unquoted(fragment), command.name)
        found = fitting(fragment, fits, place.after) + found
    return fragment, found


def _option_or_value(
    typed: Typed, options: Mapping[str, Option], values: Values, after: str
) -> tuple[str, list[Offer]]:
    """Return the names of options, or the values of the one before the cursor."""
    option, fragment = _awaiting(typed, options) or (None, typed.fragment)
    if option is not None:
        fits = values.of_option(
            option.names, option.setting, option.metavar, _unquoted(fragment)
        )
        return fragment, fitting(fragment, fits, after)
    return fragment, list(_names(fragment, options.values()))


def _awaiting(typed: Typed, options: Mapping[str, Option]) -> tuple[Option, str] | None:
    """Return the option whose value stands at the cursor, and the value so far."""
    name, equals, fragment = typed.fragment.partition("=")
    if equals and name in options:
        return options[name], fragment
    before = options.get(typed.words[-1]) if typed.words else None
    if before is not None and before.metavar:
        return before, typed.fragment
    return None


def _names(fragment: str, options: Iterable[Option]) -> Iterator[Offer]:
    """Yield the names that begin so; short ones only where one may be meant."""
    seen = set()
    for option in options:
        for name in option.names:
            short = not name.startswith("--")
            if name.startswith(fragment) and (fragment or not short):
                if name not in seen:
                    yield Offer(name, "option")
                seen.add(name)


def _loose(words: Sequence[str], options: Mapping[str, Option]) -> int:
    """Return how many of the words are neither options nor values of options."""
    count, before = 0, None
    for word in words:
        value = before is not None and before.metavar
        before = None if value else options.get(word)
        count += not value and not word.startswith("-")
    return count


def _unquoted(fragment: str) -> str:
    return fragment[1:] if fragment[:1] in ("'", '"') else fragment


@cache
def _question_options() -> dict[str, Option]:
    """Return the options of a question by name, as their help lists them."""
    by_option = {s.option: s for s in SETTINGS.values() if s.option}
    options: dict[str, Option] = {}
    for spellings, *_ in help_rows():
        found = re.findall(r"`(-\S+?)(?: ([^`]+))?`", spellings)
        names_ = tuple(name for name, _ in found)
        setting = next((by_option[n] for n in names_ if n in by_option), None)
        option = Option(names_, found[0][1], setting)
        options |= dict.fromkeys(names_, option)
    return options
