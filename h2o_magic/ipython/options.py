"""The options of ``%%h2o`` and ``%h2o ask``: one parser, made from the settings."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from h2o_magic.config.command_line import Word
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.errors import ConfigurationError, did_you_mean, nearest
from h2o_magic.ipython.option_reader import (
    Fill,
    Given,
    OptionParser,
    OptionReader,
    add_settings,
    check_variable,
    default_of,
)

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


def parse_cell_line(line: str, fill: Fill = str) -> AskOptions:
    """Read the options on the first line of a ``%%h2o`` cell.

    `fill` puts the values that a word names in braces into it.
    """
    options, rest = parse_ask(line, fill)
    if rest:
        word = rest.split(maxsplit=1)[0]
        near = nearest(word, _reader().long_options())
        if word.startswith(_DASHES) and near:
            hint = did_you_mean(word, near)
        elif nearest(word, ["map"]):
            hint = f"{did_you_mean(word, ['map'])} (`%%h2o map TABLE` asks row by row)"
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
    given, rest = _reader().beginning(line)
    return _as_options(given, fill), rest


def parse_words(words: Iterable[str]) -> tuple[AskOptions, list[str]]:
    """Return the options among the words of a shell, and the others: the question.

    A word with a space in it is text, as are all behind ``--``.
    """
    left = [Word(word, quoted=len(word.split()) > 1) for word in words]
    given, rest = _reader().anywhere(iter(left))
    return _as_options(given), [word.text for word in rest]


def _as_options(given: Iterable[Given], fill: Fill = str) -> AskOptions:
    found, settings = _reader().read(given, fill)
    if found.out is not None:
        check_variable(found.out)
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
        value, unit = default_of(setting) if setting else ("", "")
        shown = f"`{value}` {unit}".rstrip() if value else ""
        rows.append([", ".join(names), meaning, shown])
    return rows


def option_actions() -> list[argparse.Action]:
    """Return argparse's description of each option; `dest` is a setting's name."""
    return _parser(*SETTINGS)._actions


def _reader() -> OptionReader:
    return OptionReader("%%h2o", _parser(*SETTINGS))


@lru_cache(maxsize=1)
def _parser(*_names: str) -> OptionParser:
    """Return the parser; it is built once for the settings that there are."""
    parser = OptionParser(
        "%%h2o",
        "%%%%h2o [options]   (the question goes on the lines below)\n"
        "       %%h2o ask [options] QUESTION",
    )
    options = parser.add_argument_group("options")
    add_settings(options, [name for name in SETTINGS if name not in CHAT_PARAMETERS])
    exclusive = options.add_mutually_exclusive_group()
    for names, details in _SWITCHES.items():
        first = names in (("--no-history",), ("--new",))
        (exclusive if first else options).add_argument(*names, **details)
    generation = parser.add_argument_group(
        "generation parameters",
        "If omitted, or given as `none`, the model's own value applies.",
    )
    add_settings(generation, CHAT_PARAMETERS)
    return parser
