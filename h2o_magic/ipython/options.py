"""The options of ``%%h2o`` and ``%h2o ask``: one parser, made from the settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from keyword import iskeyword
from typing import Any, NoReturn

from h2o_magic.config.command_line import Word, split
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.config.settings import find_option
from h2o_magic.errors import ConfigurationError, did_you_mean, nearest
from h2o_magic.ipython.namespace import is_ipython_name

#: Returns a word with the values that it names in braces.
Fill = Callable[[str], str]

_SHORT = {"model": ["-m"], "system": ["-s"]}

#: What an option looks like, known or not: ``-1`` and ``-x*2`` do not.
_OPTION = re.compile(r"--[^\W\d_]|-[mos](=|\w[\w./:\\-]*$|$)|-h$")
#: What the typist's dashes may have become.
_DASHES = ("-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212")

#: The options that are not settings: `--no-history` and `--new` exclude each other.
_SWITCHES: dict[tuple[str, ...], dict[str, Any]] = {
    ("--no-history",): {
        "dest": "history",
        "action": "store_false",
        "help": "Ask without the conversation: no earlier turn is sent, and this one "
        "is not saved.",
    },
    ("--new",): {
        "action": "store_true",
        "help": "Start a new conversation with this question.",
    },
    ("--fresh",): {
        "action": "store_true",
        "help": "Ask even if an answer is stored for replay, and replace that one.",
    },
    ("--stream",): {
        "action": argparse.BooleanOptionalAction,
        "help": "Show the answer as it is generated (the default), or when complete.",
    },
    ("-o", "--out"): {
        "metavar": "NAME",
        "help": "Store the answer in this variable. With --schema, or --as json or "
        "table, it holds the value, and NAME_answer the text.",
    },
    ("--quiet",): {
        "action": "store_true",
        "help": "Do not store the answer in `_` and `Out`.",
    },
    ("--attach",): {
        "metavar": "FILE",
        "action": "append",
        "default": [],
        "help": "Send this file along: an image, a text, a table or a PDF.",
    },
    ("--schema",): {
        "metavar": "NAME|FILE",
        "help": "What the answer must match: a variable with a dataclass, a pydantic "
        "model, a TypedDict or a JSON schema, or a file with one.",
    },
    ("--use",): {
        "metavar": "MODEL",
        "help": "With several models, `--model a,b`: the one whose answer the "
        "conversation goes on with.",
    },
    ("--raw",): {"action": "store_true", "help": "Do not expand names in braces."},
    ("--preview",): {
        "action": "store_true",
        "help": "Show what would be sent, without sending it.",
    },
    ("-h", "--help"): {"action": "store_true", "help": "Show this help and exit."},
}


@dataclass(frozen=True, slots=True)
class AskOptions:
    """The options of one question."""

    settings: dict[str, Value | None] = field(default_factory=dict)  # checked
    history: bool = True  # False: ask without the conversation
    new: bool = False  # True: start a new conversation
    fresh: bool = False  # True: ask even if an answer is stored
    live: bool = True  # False: show the answer only when it is complete
    raw: bool = False  # True: leave names in braces as they are
    preview: bool = False  # True: show what would be sent, without sending it
    attach: tuple[str, ...] = ()  # files to send along
    out: str | None = None  # the variable to store the answer in
    quiet: bool = False  # True: leave `_` and `Out` alone
    schema: str | None = None  # a variable or a file with a JSON schema
    use: str | None = None  # of several models, the one that counts
    help: bool = False


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    color: bool

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"%%h2o: {message} (`%%h2o --help` lists all options)")


def parse_cell_line(line: str, fill: Fill = str) -> AskOptions:
    """Read the options on the first line of a ``%%h2o`` cell.

    `fill` puts the values that a word names in braces into it.
    """
    options, rest = parse_ask(line, fill)
    if rest:
        word = rest.split(maxsplit=1)[0]
        if word.startswith(_DASHES) and (near := nearest(word, _long_options())):
            hint = did_you_mean(word, near)
        else:
            hint = (
                "put the question on the lines below (`--model NAME` selects a model, "
                "`%h2o help` lists the commands)"
            )
        raise ConfigurationError(f"%%h2o: expected options, got {word!r}: {hint}")
    return options


def parse_ask(line: str, fill: Fill = str) -> tuple[AskOptions, str]:
    """Read the options at the start of a line; return them and the rest as it is.

    The first word that is no option ends them, and so does ``--``, which is left out.
    `fill` puts the values that a word names in braces into it.
    """
    line, given, end = line.strip(), list[tuple[str, ...]](), 0
    words = split(line, "%%h2o: ")
    # The question is not read: its apostrophes open no quotes.
    while line[end:].lstrip().startswith("-"):
        word = next(words)
        if not _is_option(word):
            end = word.end if word.text == "--" else end
            break
        option, end = _with_value(word, words)
        given.append(option)
    return _as_options(given, fill), line[end:].lstrip()


def parse_words(words: Iterable[str]) -> tuple[AskOptions, list[str]]:
    """Return the options among the words of a shell, and the others: the question.

    A word with a space in it is text, as are all behind ``--``.
    """
    given, rest = list[tuple[str, ...]](), list[str]()
    left = iter([Word(word, quoted=len(word.split()) > 1) for word in words])
    for word in left:
        if word.text == "--":
            break
        if _is_option(word):
            given.append(_with_value(word, left)[0])
        else:
            rest.append(word.text)
    return _as_options(given), [*rest, *(word.text for word in left)]


def _is_option(word: Word) -> bool:
    name = "-" + word.text.partition("=")[0].lower()  # ``-model`` is meant as one, too
    looks = _OPTION.match(word.text) or name in _long_options()
    return not word.quoted and bool(looks)


def _with_value(word: Word, words: Iterator[Word]) -> tuple[tuple[str, ...], int]:
    """Return an option, its value if that is the next of `words`, and their end."""
    name, equals, _ = word.text.partition("=")
    action = _actions().get(name)
    if action is None:
        _refuse(word.text)
    value = None if equals or action.nargs is not None else next(words, None)
    if value is None:
        return (word.text,), word.end
    if (value.text == "--" and not value.quoted) or _is_option(value):
        raise ConfigurationError(
            f"%%h2o: expected a value after {name}, got {value.text}: if that is the "
            f"value, write `{name}={value.text}`"
        )
    return (name, value.text), value.end


def _as_options(given: Iterable[tuple[str, ...]], fill: Fill = str) -> AskOptions:
    fill = str if ("--raw",) in given else fill
    parser, actions = _parser(*SETTINGS), _actions()
    switches, values = list[str](), list[tuple[str, str]]()
    for option in given:
        name, equals, text = "=".join(map(fill, option)).partition("=")
        if equals and actions[name].nargs is None:
            values.append((name, text))
        else:
            switches.append(f"{name}{equals}{text}")
    found = parser.parse_args(switches)
    for name, text in values:  # argparse would drop the text ``--``
        actions[name](parser, found, text, name)
    if found.out is not None:
        _check_variable(found.out)
    settings: dict[str, Value | None] = {}
    for name, setting in SETTINGS.items():
        value = getattr(found, name, None)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]  # one word alone may stand for a list, or for none
        if value is not None:
            read = setting.parse if isinstance(value, str) else setting.check
            try:
                settings[name] = read(value)
            except ConfigurationError as error:
                raise type(error)(f"%%h2o {setting.option}: {error}") from error
    return AskOptions(
        settings,
        history=found.history,
        new=found.new,
        fresh=found.fresh,
        live=found.stream is not False,
        raw=found.raw,
        preview=found.preview,
        attach=tuple(found.attach),
        out=found.out,
        quiet=found.quiet,
        schema=found.schema,
        use=found.use,
        help=found.help,
    )


def retry_settings(options: AskOptions) -> dict[str, Any]:
    """Return the settings that differ where a turn is asked again."""
    given = {"no-history": not options.history, "new": options.new}
    others = ("raw", "preview", "schema", "attach", "use")
    given |= {name: getattr(options, name) for name in others}
    for name in (name for name, value in given.items() if value):
        raise ConfigurationError(
            f"%h2o retry: `--{name}` is not supported, because the same question is "
            "asked again in the same place: leave it out"
        )
    return dict(options.settings)


def help_text(usage: str = "", *, without: Collection[str] = ()) -> str:
    """Return the help as plain text, without the options of some fields."""
    parser = _parser.__wrapped__()  # a parser of its own, which may be changed
    parser.usage = usage or parser.usage
    for action in parser._actions:
        if action.dest in without:
            action.help = argparse.SUPPRESS
    return parser.format_help()


def help_rows() -> list[list[str]]:
    """Return the help on all options as rows of option, meaning and default."""
    rows = []
    for action in option_actions():
        setting = SETTINGS.get(action.dest)
        names = [
            f"`{name} {action.metavar or ''}".rstrip() + "`"
            for name in action.option_strings
        ]
        meaning = setting.help if setting else str(action.help)
        value, unit = _default(setting) if setting else ("", "")
        shown = f"`{value}` {unit}".rstrip() if value else ""
        rows.append([", ".join(names), meaning, shown])
    return rows


def option_actions() -> list[argparse.Action]:
    """Return argparse's description of each option; `dest` is a setting's name."""
    return _parser(*SETTINGS)._actions


def _check_variable(name: str) -> None:
    if not name.isidentifier() or iskeyword(name):
        raise ConfigurationError(f"%%h2o --out: expected a variable name, got {name!r}")
    if is_ipython_name(name):
        raise ConfigurationError(
            f"%%h2o --out: expected a name that IPython does not use, got {name!r}: "
            "choose another"
        )


def _refuse(word: str) -> NoReturn:
    option = word.partition("=")[0]
    name = option.lstrip("-").removeprefix("no-").replace("-", "_")
    if name in PARAMETERS or (name in SETTINGS and not SETTINGS[name].option):
        find_option(name)  # says where it belongs, or how it is set
    if near := nearest(option, _long_options()):
        hint = did_you_mean(option, near)
    elif option.startswith("--"):
        hint = "`%%h2o --help` lists all options"
    else:
        hint = f"a value follows after a space, `{word[:2]} {word[2:]}`"
    text = "" if near else "; `%h2o ask -- TEXT` asks what begins with a dash"
    raise ConfigurationError(f"%%h2o: unknown option {option}: {hint}{text}")


def _actions() -> dict[str, argparse.Action]:
    """Return argparse's description of each option, by all of its names."""
    return _parser(*SETTINGS)._option_string_actions


def _long_options() -> list[str]:
    return [name for name in _actions() if name.startswith("--")]


@lru_cache(maxsize=1)
def _parser(*_names: str) -> _Parser:
    """Return the parser; it is built once for the settings that there are."""
    parser = _Parser(
        prog="%%h2o",
        usage="%%%%h2o [options]   (the question goes on the lines below)\n"
        "       %%h2o ask [options] QUESTION",
        add_help=False,
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(
            prog, max_help_position=30, width=88
        ),
    )
    parser.color = False  # Python 3.14 would colour it where the kernel asks for colour
    options = parser.add_argument_group("options")
    _add_settings(options, [name for name in SETTINGS if name not in CHAT_PARAMETERS])
    exclusive = options.add_mutually_exclusive_group()
    for names, details in _SWITCHES.items():
        first = names in (("--no-history",), ("--new",))
        (exclusive if first else options).add_argument(*names, **details)
    generation = parser.add_argument_group(
        "generation parameters",
        "If omitted, or given as `none`, the model's own value applies.",
    )
    _add_settings(generation, CHAT_PARAMETERS)
    return parser


def _add_settings(group: argparse._ArgumentGroup, names: Iterable[str]) -> None:
    for setting in (SETTINGS[name] for name in names if SETTINGS[name].option):
        value, unit = _default(setting)
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


def _default(setting: Parameter) -> tuple[str, str]:
    """Return a default's text and unit; two empty ones where there is no default."""
    if setting.default in (None, ""):
        return "", ""
    return setting.write(setting.default), setting.unit
