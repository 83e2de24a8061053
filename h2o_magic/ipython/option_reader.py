"""Options in a line as people type it: found, read by argparse, checked as settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator
from keyword import iskeyword
from typing import Any, NoReturn

from h2o_magic.config.command_line import Word, split
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.config.settings import find_option
from h2o_magic.errors import ConfigurationError, did_you_mean, nearest
from h2o_magic.ipython.namespace import is_ipython_name

#: Returns a word with the values that it names in braces.
Fill = Callable[[str], str]
#: An option as it was given: its name, and its value if that was a word of its own.
Given = tuple[str, ...]

_SHORT = {"model": ["-m"], "system": ["-s"]}

#: What an option looks like, known or not: ``-1`` and ``-x*2`` do not.
_OPTION = re.compile(r"--[^\W\d_]|-[mos](=|\w[\w./:\\-]*$|$)|-h$")


class OptionParser(argparse.ArgumentParser):
    """An argument parser of settings that raises instead of ending the process."""

    color: bool

    def __init__(self, prog: str, usage: str) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            add_help=False,
            allow_abbrev=False,
            formatter_class=lambda prog: argparse.HelpFormatter(
                prog, max_help_position=30, width=88
            ),
        )
        # Python 3.14 would colour it where the kernel asks for colour.
        self.color = False

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(
            f"{self.prog}: {message} (`{self.prog} --help` lists all options)"
        )


class OptionReader:
    """Reads the options of one kind of line; `name` is what errors begin with."""

    def __init__(self, name: str, parser: OptionParser) -> None:
        self.parser = parser
        self._name = name

    @property
    def actions(self) -> dict[str, argparse.Action]:
        """Argparse's description of each option, by all of its names."""
        return self.parser._option_string_actions

    def long_options(self) -> list[str]:
        return [name for name in self.actions if name.startswith("--")]

    def beginning(self, line: str) -> tuple[list[Given], str]:
        """Return the options at the start of a line, and the rest as it is.

        The first word that is no option ends them, and so does ``--``.
        """
        line, given, end = line.strip(), list[Given](), 0
        words = split(line, f"{self._name}: ")
        # The question is not read: its apostrophes open no quotes.
        while line[end:].lstrip().startswith("-"):
            word = next(words)
            if not self._is_option(word):
                end = word.end if word.text == "--" else end
                break
            option, end = self._with_value(word, words)
            given.append(option)
        return given, line[end:].lstrip()

    def anywhere(self, words: Iterator[Word]) -> tuple[list[Given], list[Word]]:
        """Return the options among words, and the others; ``--`` ends the options."""
        given, rest = list[Given](), list[Word]()
        for word in words:
            if word.text == "--" and not word.quoted:
                break
            if self._is_option(word):
                given.append(self._with_value(word, words)[0])
            else:
                rest.append(word)
        return given, [*rest, *words]

    def read(
        self, given: Iterable[Given], fill: Fill = str
    ) -> tuple[argparse.Namespace, dict[str, Value | None]]:
        """Return the values of options, and those of settings among them, checked."""
        given = list(given)
        fill = str if ("--raw",) in given else fill
        actions = self.actions
        switches, values = list[str](), list[tuple[str, str]]()
        for option in given:
            name, equals, text = "=".join(map(fill, option)).partition("=")
            if equals and actions[name].nargs is None:
                values.append((name, text))
            else:
                switches.append(f"{name}{equals}{text}")
        found = self.parser.parse_args(switches)
        for name, text in values:  # argparse would drop the text ``--``
            actions[name](
                self.parser, found, self._converted(actions[name], text), name
            )
        return found, self._settings(found)

    def _converted(self, action: argparse.Action, text: str) -> Any:
        try:
            return self.parser._get_value(action, text)
        except argparse.ArgumentError as error:
            self.parser.error(str(error))

    def _settings(self, found: argparse.Namespace) -> dict[str, Value | None]:
        settings: dict[str, Value | None] = {}
        dests = {action.dest for action in self.actions.values()}
        for name, setting in SETTINGS.items():
            value = getattr(found, name, None) if name in dests else None
            if isinstance(value, list) and len(value) == 1:
                value = value[0]  # one word alone may stand for a list, or for none
            if value is not None:
                read = setting.parse if isinstance(value, str) else setting.check
                try:
                    settings[name] = read(value)
                except ConfigurationError as error:
                    where = f"{self._name} {setting.option}"
                    raise type(error)(f"{where}: {error}") from error
        return settings

    def _is_option(self, word: Word) -> bool:
        name = "-" + word.text.partition("=")[0].lower()  # ``-model`` is meant as one
        looks = _OPTION.match(word.text) or name in self.long_options()
        return not word.quoted and bool(looks)

    def _with_value(self, word: Word, words: Iterator[Word]) -> tuple[Given, int]:
        """Return an option, its value if that is the next of `words`, and their end."""
        name, equals, _ = word.text.partition("=")
        action = self.actions.get(name)
        if action is None:
            self._refuse(word.text)
        value = None if equals or action.nargs is not None else next(words, None)
        if value is None:
            return (word.text,), word.end
        if (value.text == "--" and not value.quoted) or self._is_option(value):
            raise ConfigurationError(
                f"{self._name}: expected a value after {name}, got {value.text}: if "
                f"that is the value, write `{name}={value.text}`"
            )
        return (name, value.text), value.end

    def _refuse(self, word: str) -> NoReturn:
        option = word.partition("=")[0]
        name = option.lstrip("-").removeprefix("no-").replace("-", "_")
        if name in PARAMETERS or (name in SETTINGS and not SETTINGS[name].option):
            find_option(name)  # says where it belongs, or how it is set
        if near := nearest(option, self.long_options()):
            hint = did_you_mean(option, near)
        elif option.startswith("--"):
            hint = f"`{self._name} --help` lists all options"
        else:
            hint = f"a value follows after a space, `{word[:2]} {word[2:]}`"
        text = "" if near else "; `%h2o ask -- TEXT` asks what begins with a dash"
        raise ConfigurationError(f"{self._name}: unknown option {option}: {hint}{text}")


def add_settings(group: argparse._ArgumentGroup, names: Iterable[str]) -> None:
    """Add the options of settings to a parser's group."""
    for setting in (SETTINGS[name] for name in names if SETTINGS[name].option):
        value, unit = default_of(setting)
        default = f" Default: {value} {unit}".rstrip() + "." if value else ""
        details: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        if setting.kind is not bool:
            action = "append" if setting.kind is tuple else "store"
            details = {"action": action, "metavar": setting.metavar}
        group.add_argument(
            *_SHORT.get(setting.name, ()),
            setting.option,
            dest=setting.name,
            help=(setting.help + default).replace("%", "%%"),
            **details,
        )


def default_of(setting: Parameter) -> tuple[str, str]:
    """Return a default's text and unit; two empty ones where there is no default."""
    if setting.default in (None, ""):
        return "", ""
    return setting.write(setting.default), setting.unit


def check_variable(name: str, option: str = "%%h2o --out") -> None:
    """Refuse what cannot be the name of the user's variable."""
    if not name.isidentifier() or iskeyword(name):
        raise ConfigurationError(f"{option}: expected a variable name, got {name!r}")
    if is_ipython_name(name):
        raise ConfigurationError(
            f"{option}: expected a name that IPython does not use, got {name!r}: "
            "choose another"
        )
