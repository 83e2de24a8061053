"""The source of a ``%%h2o`` cell: options on the first line, the question below."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from h2o_magic.chat.turns import Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.parameters import CHAT_PARAMETERS, explicit_parameters
from h2o_magic.errors import ParameterError

_CELL = re.compile(r"\s*%%h2o(?:[ \t]([^\n]*))?(?:\n(.*))?\Z", re.DOTALL)
_BARE = re.compile(r"[\w./:@%+,=-]+", re.ASCII)
_TAKING = {
    "--model": "model",
    "-m": "model",
    "--system": "system",
    "-s": "system",
    "--thread": "thread",
}


@dataclass(slots=True)
class CellOptions:
    """What the first line of a cell says that belongs to a turn."""

    model: str = ""
    system: str = ""
    thread: str = ""
    new: bool = False
    help: bool = False


def write_source(turn: Turn, thread: str) -> str:
    """Return a cell that asks a turn's question again, in `thread`.

    Options are left out where they have the default. A line must hold them, so line
    ends in the system text become spaces, and a stop text with one is left out.
    """
    return f"{' '.join(['%%h2o', *_options(turn, thread)])}\n{turn.question}"


def read_source(source: str) -> tuple[CellOptions, str] | None:
    """Return a cell's options and the text below them; None if it is no such cell.

    Options are read leniently: what is not known here is passed over.
    """
    match = _CELL.match(source)
    if match is None:
        return None
    return _read_options(_words(match[1] or "")), match[2] or ""


def _options(turn: Turn, thread: str) -> Iterator[str]:
    if turn.model and turn.model != DEFAULT_MODEL:
        yield _option("--model", turn.model)
    if turn.system.strip():
        yield _option("--system", turn.system)
    if thread != MAIN:
        yield _option("--thread", thread)
    if turn.begins:
        yield "--new"
    sent = turn.facts.get("parameters")
    if isinstance(sent, dict):
        for name, value in explicit_parameters(sent).items():
            yield from _parameter_options(CHAT_PARAMETERS[name], value)


def _parameter_options(parameter: Parameter, value: object) -> Iterator[str]:
    try:
        checked = parameter.check(value)
    except ParameterError:  # of another version, or another program
        return
    if isinstance(checked, bool):
        yield parameter.option if checked else f"--no-{parameter.option[2:]}"
        return
    if isinstance(checked, Mapping):
        checked = json.dumps(checked)
    for item in checked if isinstance(checked, tuple) else (checked,):
        if str(item).splitlines() == [str(item)]:
            yield _option(parameter.option, str(item))


def _option(name: str, value: str) -> str:
    """Return an option with its value so that `shlex.split` gives the value back."""
    text = " ".join(value.splitlines())
    if not _BARE.fullmatch(text):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name}={text}" if value.startswith("-") else f"{name} {text}"


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quote that is not closed
        return line.split()


def _read_options(words: Sequence[str]) -> CellOptions:
    found = CellOptions()
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _TAKING:
            value = value if equals else next(rest, "")
            if value:
                setattr(found, _TAKING[name], value)
        found.new = found.new or word == "--new"
        found.help = found.help or word in ("--help", "-h")
    return found
