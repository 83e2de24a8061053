"""The options of ``%%h2o map``: those of a question that mean something for rows."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from h2o_magic.config.command_line import Word, split
from h2o_magic.config.definitions import SETTINGS
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

#: Options of questions that are refused, with why, and what to do.
_REFUSED: Mapping[str, str] = {
    "--attach": "put the text of the file into a column, or into a variable in braces",
    "--fresh": "`--forget` asks rows again whose answers are known",
    "--thread": "`%h2o thread NAME` selects the thread that shows the run",
    "--as": "`--schema` gives the answers columns and types",
    "--use": "`--model NAME` selects the model",
    **dict.fromkeys(
        ("--new", "--max-turns", "--send-partial"),
        "each row is asked alone: leave it out",
    ),
    **dict.fromkeys(
        ("--stream", "--no-stream", "--reasoning", "--replay-speed", "--vision"),
        "leave it out",
    ),
}

#: Options with a value, which is a whole number where it is called N; and switches.
_VALUES = {
    "--out": "NAME: Store the result in this variable: NAME.table is the table with "
    "its answers, NAME.errors the rows that failed.",
    "--schema": "NAME|FILE: What each answer must match: a variable with a dataclass, "
    "a pydantic model, a TypedDict or a JSON schema, or a file with one. Its "
    "properties become columns.",
    "--first": "N: Ask only the first N rows.",
    "--max-errors": "N: End the run when more than N rows have failed.",
    "--width": "N: Ask at most N rows at once. Default: as many as the server takes.",
    "--to": "FILE: Write the table with its answers into this file: .csv, .jsonl or "
    ".parquet.",
    "--price": "IN/OUT: The price of a million tokens read and written, such as "
    "0.15/0.60.",
    "--budget": "AMOUNT: Stop before the run costs more than this, by --price.",
    "--executor": "NAME: Where rows are asked: a variable with an executor of "
    "concurrent.futures, dask or ray. Default: threads of this kernel.",
    "--server": "A,B: The server to ask, or several that share the rows, by name or "
    "address.",
}
_SWITCHES = {
    "--preview": "Show three prompts, and about how many tokens and how much time all "
    "rows need, measured with up to 20 rows, whose answers are kept.",
    "--each": "Ask equal rows one by one, instead of once for all of them.",
    "--forget": "Ask all rows again, also those whose answers are known.",
    "--no-keep": "Do not keep the answers for later runs.",
    "--no-history": "Do not show the run in the conversation.",
    "--overwrite": "Replace the file of --to if it exists.",
    "--quiet": "Do not store the result in `_` and `Out`.",
    "--raw": "Expand columns only, no variables in braces.",
    "--help": "Show this help and exit.",
}
_SHORT = {"--out": ["-o"], "--help": ["-h"]}
#: Where argparse puts a value; `budget` and `server` are settings, too.
_DEST = {
    "--budget": "amount",
    "--server": "servers",
    "--no-keep": "keep",
    "--no-history": "history",
}


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a cell says: a `table`, which may be a variable if it is not `quoted`.

    `arguments` are those of `h2o_magic.map` that the cell does not use itself, with
    the names of a schema and an executor.
    """

    table: Word | None
    arguments: dict[str, Any]
    out: str | None = None  # the variable to store the result in
    history: bool = True  # False: no turn of the conversation
    preview: bool = False
    quiet: bool = False  # True: leave `_` and `Out` alone
    help: bool = False


def refuse(option: str, name: str, where: str) -> None:
    """Refuse an option that means nothing for rows; `name` is what was written."""
    if option in _REFUSED:
        raise ConfigurationError(
            f"{where}: {name} does not apply to a table: {_REFUSED[option]}"
        )


def parse_map_line(line: str, fill: Fill = str) -> MapOptions:
    """Read what follows ``%%h2o map``; `fill` puts the values of words into them."""
    reader = _reader()
    words = list(split(line, f"{_NAME}: "))
    for name in (word.text.partition("=")[0] for word in words if not word.quoted):
        refuse(name, name, _NAME)
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
    others = {n: value for n, value in vars(found).items() if n not in SETTINGS}
    others |= {"budget": others.pop("amount"), "server": others.pop("servers")}
    own = ("out", "history", "preview", "quiet", "help")
    of_cell = {name: others.pop(name) for name in own}
    return MapOptions(rest[0] if rest else None, {**others, **settings}, **of_cell)


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
    for name, text in {**_VALUES, **_SWITCHES}.items():
        action = "store_false" if name.startswith("--no-") else "store_true"
        details: dict[str, Any] = {"help": text, "action": action}
        if name in _VALUES:
            metavar, _, meaning = text.partition(": ")
            kind = int if metavar == "N" else str
            details = {"help": meaning, "metavar": metavar, "type": kind}
        dest = _DEST.get(name, name[2:].replace("-", "_"))
        options.add_argument(*_SHORT.get(name, ()), name, dest=dest, **details)
    others = (each for each in SETTINGS.values() if each.name not in CHAT_PARAMETERS)
    kept = [each.name for each in others if each.option not in _REFUSED]
    add_settings(options, [name for name in kept if name != "budget"])  # an amount
    generation = parser.add_argument_group(
        "generation parameters",
        "If omitted, or given as `none`, the model's own value applies.",
    )
    add_settings(generation, CHAT_PARAMETERS)
    return parser
