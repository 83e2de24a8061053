"""The options of ``%%h2o map``: those of a question that mean something for rows."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from h2o_magic.config.command_line import Word, split
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.option_reader import (
    Fill,
    OptionParser,
    OptionReader,
    add_settings,
    check_variable,
)

#: What errors begin with.
_NAME = "%%h2o map"

_ALONE = "each row is asked alone"
#: Options of questions that are refused, with why, and what to do.
_REFUSED: Mapping[str, str] = {
    "--attach": "put the text of the file into a column, or into a variable in braces",
    "--new": f"{_ALONE}: leave it out",
    "--fresh": "`--forget` asks rows again whose answers are known",
    "--stream": "the progress and the first rows are shown: leave it out",
    "--no-stream": "the progress and the first rows are shown: leave it out",
    "--thread": "`%h2o thread NAME` selects the thread that shows the run",
    "--max-turns": f"{_ALONE}: leave it out",
    "--send-partial": f"{_ALONE}: leave it out",
    "--as": "`--schema` gives the answers columns and types",
    "--reasoning": "rows keep answers without reasoning: leave it out",
    "--replay-speed": "answers to rows are not shown one by one: leave it out",
    "--vision": "rows are asked with text alone: leave it out",
    "--use": f"{_ALONE}: `--model NAME` selects the model",
}
#: The settings that are no options here; `--budget` is an amount.
_LEFT_OUT = {
    *("thread", "max_turns", "send_partial", "format", "reasoning", "replay_speed"),
    *("vision", "budget"),
}


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(
            f"expected a whole number above 0, got {text!r}"
        )
    return int(text)


def _errors(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


_SWITCHES: dict[tuple[str, ...], dict[str, Any]] = {
    ("-o", "--out"): {
        "metavar": "NAME",
        "help": "Store the result in this variable: NAME.table is the table with its "
        "answers, NAME.errors the rows that failed.",
    },
    ("--schema",): {
        "metavar": "NAME|FILE",
        "help": "What each answer must match: a variable with a dataclass, a pydantic "
        "model, a TypedDict or a JSON schema, or a file with one. Its properties "
        "become columns.",
    },
    ("--first",): {
        "metavar": "N",
        "type": _count,
        "help": "Ask only the first N rows.",
    },
    ("--each",): {
        "action": "store_true",
        "help": "Ask equal rows one by one, instead of once for all of them.",
    },
    ("--max-errors",): {
        "metavar": "N",
        "type": _errors,
        "help": "End the run when more than N rows have failed.",
    },
    ("--width",): {
        "metavar": "N",
        "type": _count,
        "help": "Ask at most N rows at once. Default: as many as the server takes.",
    },
    ("--no-keep",): {
        "dest": "keep",
        "action": "store_false",
        "help": "Do not keep the answers for later runs.",
    },
    ("--forget",): {
        "action": "store_true",
        "help": "Ask all rows again, also those whose answers are known.",
    },
    ("--to",): {
        "metavar": "FILE",
        "help": "Write the table with its answers into this file: .csv, .jsonl or "
        ".parquet.",
    },
    ("--overwrite",): {
        "action": "store_true",
        "help": "Replace the file of --to if it exists.",
    },
    ("--preview",): {
        "action": "store_true",
        "help": "Show three prompts, and about how many tokens and how much time all "
        "rows need, measured with up to 20 rows, whose answers are kept.",
    },
    ("--price",): {
        "metavar": "IN/OUT",
        "help": "The price of a million tokens read and written, such as 0.15/0.60.",
    },
    ("--budget",): {
        "dest": "amount",  # `budget` is a setting
        "metavar": "AMOUNT",
        "help": "Stop before the run costs more than this, by --price.",
    },
    ("--executor",): {
        "metavar": "NAME",
        "help": "Where rows are asked: a variable with an executor of "
        "concurrent.futures, or ray. Default: threads of this kernel.",
    },
    ("--servers",): {
        "metavar": "A,B",
        "help": "Servers that share the rows, by name or address.",
    },
    ("--no-history",): {
        "dest": "history",
        "action": "store_false",
        "help": "Do not show the run in the conversation.",
    },
    ("--quiet",): {
        "action": "store_true",
        "help": "Do not store the result in `_` and `Out`.",
    },
    ("--raw",): {
        "action": "store_true",
        "help": "Expand columns only, no variables in braces.",
    },
    ("-h", "--help"): {"action": "store_true", "help": "Show this help and exit."},
}


@dataclass(frozen=True, slots=True)
class MapOptions:
    """The options of one run; a `table` without quotes may be a variable."""

    table: Word | None = None
    settings: dict[str, Value | None] = field(default_factory=dict)  # checked
    schema: str | None = None  # a variable or a file with a JSON schema
    out: str | None = None  # the variable to store the result in
    history: bool = True  # False: no turn of the conversation
    quiet: bool = False  # True: leave `_` and `Out` alone
    raw: bool = False  # True: leave the notebook's names in braces as they are
    executor: str | None = None  # a variable, or a name
    #: The other arguments of `h2o_magic.map`, as they are called there.
    arguments: dict[str, Any] = field(default_factory=dict)
    help: bool = False


_ARGUMENTS = (
    *("first", "each", "max_errors", "width", "keep", "forget", "to", "overwrite"),
    *("preview", "price"),
)


def parse_map_line(line: str, fill: Fill = str) -> MapOptions:
    """Read what follows ``%%h2o map``; `fill` puts the values of words into them."""
    reader = _reader()
    words = list(split(line, f"{_NAME}: "))
    for word in words:
        name = word.text.partition("=")[0]
        if not word.quoted and name in _REFUSED:
            raise ConfigurationError(
                f"{_NAME}: {name} does not apply to a table: {_REFUSED[name]}"
            )
    given, rest = reader.anywhere(iter(words))
    found, settings = reader.read(given, fill)
    if found.out is not None:
        check_variable(found.out, f"{_NAME} --out")
    if len(rest) > 1:
        raise ConfigurationError(
            f"{_NAME}: expected one table, got {rest[0].text!r} and {rest[1].text!r}: "
            "put the prompt on the lines below, and a path with spaces in quotes"
        )
    if not rest and not found.help:
        raise ConfigurationError(
            f"{_NAME}: expected a table, a variable or a file: write `{_NAME} TABLE`, "
            f"and the prompt on the lines below (`{_NAME} --help` lists all options)"
        )
    arguments = {name: getattr(found, name) for name in _ARGUMENTS}
    arguments["budget"] = found.amount
    if found.servers:
        arguments["server"] = [name.strip() for name in found.servers.split(",")]
    return MapOptions(
        rest[0] if rest else None,
        settings,
        schema=found.schema,
        out=found.out,
        history=found.history,
        quiet=found.quiet,
        raw=found.raw,
        executor=found.executor,
        arguments=arguments,
        help=found.help,
    )


def map_help() -> str:
    """Return the help as plain text."""
    return _reader().parser.format_help()


def map_actions() -> list[argparse.Action]:
    """Return argparse's description of each option; `dest` is a setting's name."""
    return _parser(*SETTINGS)._actions


def _reader() -> OptionReader:
    return OptionReader(_NAME, _parser(*SETTINGS))


@lru_cache(maxsize=1)
def _parser(*_names: str) -> OptionParser:
    parser = OptionParser(
        _NAME, "%%%%h2o map TABLE [options]   (the prompt goes on the lines below)"
    )
    options = parser.add_argument_group("options")
    for names, details in _SWITCHES.items():
        options.add_argument(*names, **details)
    settings = [name for name in SETTINGS if name not in CHAT_PARAMETERS]
    add_settings(options, [name for name in settings if name not in _LEFT_OUT])
    generation = parser.add_argument_group(
        "generation parameters",
        "If omitted, or given as `none`, the model's own value applies.",
    )
    add_settings(generation, CHAT_PARAMETERS)
    return parser
