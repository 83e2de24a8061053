"""The options of ``%%h2o`` and ``%h2o ask``: one parser, made from the table."""

from __future__ import annotations

import argparse
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from h2o_magic.errors import ConfigurationError, ParameterError
from h2o_magic.nearest import did_you_mean
from h2o_magic.parameters import PARAMETERS, Parameter, Value

__all__ = ["AskOptions", "help_rows", "help_text", "parse_ask", "parse_cell_line"]


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What the options of one question say; None where an option was not given.

    Attributes
    ----------
    parameters : dict
        Generation parameters that were given.
    model, system : str or None
        As given.
    strict : bool or None
        As given.
    live : bool
        False if the answer is to be shown at its end only.
    help : bool
        True if only help is wanted.
    """

    parameters: dict[str, Value] = field(default_factory=dict)
    model: str | None = None
    system: str | None = None
    strict: bool | None = None
    live: bool = True
    help: bool = False


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    color: bool

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"%%h2o: {message} (`%%h2o --help` lists all options)")


def parse_cell_line(line: str) -> AskOptions:
    """Read the options on the first line of a ``%%h2o`` cell.

    Raises
    ------
    ConfigurationError
        If something on the line is not an option, or its value is refused.
    """
    options, rest = _parse(_words(line))
    if rest:
        raise ConfigurationError(
            f"%%h2o: expected options, got {rest[0]!r}: put the question on the lines "
            "below (`--model NAME` chooses a model, `%h2o help` lists commands)"
        )
    return options


def parse_ask(line: str) -> tuple[AskOptions, str]:
    """Read options at the beginning of a line, and return them with the question.

    The question is the rest of the line as it stands: quotes in it mean nothing.

    Raises
    ------
    ConfigurationError
        If an option is unknown or its value is refused.
    """
    words, question = _leading_options(line)
    options, _ = _parse(words)
    return options, question


def help_text() -> str:
    """Return the help on all options, as plain text."""
    return _parser().format_help()


def help_rows() -> list[list[str]]:
    """Return the help on all options as rows of option, meaning and default."""
    rows = []
    for action in _parser()._actions:
        parameter = PARAMETERS.get(action.dest)
        names = [
            f"`{name} {action.metavar or ''}".rstrip() + "`"
            for name in action.option_strings
        ]
        meaning = parameter.help if parameter else str(action.help).replace("%%", "%")
        default = parameter.default if parameter else None
        unit = parameter.unit if parameter else ""
        shown = "" if default is None else f"`{str(default).lower()}` {unit}".rstrip()
        rows.append([", ".join(names), meaning, shown])
    return rows


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ConfigurationError(
            f"%%h2o: cannot read the options {line.strip()!r} "
            f"({str(error).lower()}): put text with spaces into quotes"
        ) from error


def _leading_options(line: str) -> tuple[list[str], str]:
    """Split a line into the words of its leading options and the rest."""
    takes_value = {
        name
        for action in _parser()._actions
        if action.nargs is None
        for name in action.option_strings
    }
    words: list[str] = []
    rest = line.strip()
    while rest.startswith("-") and rest[1:2].strip():
        word, rest = _next_word(rest)
        if word == "--":
            break
        words.append(word)
        if word in takes_value and rest:
            value, rest = _next_word(rest)
            words.append(value)
    return words, rest


def _next_word(text: str) -> tuple[str, str]:
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        word = lexer.get_token()
    except ValueError:
        return _words(text)[0], ""  # raises the error that explains it
    return word or "", stream.read().lstrip()


def _parse(words: Sequence[str]) -> tuple[AskOptions, list[str]]:
    parser = _parser()
    found, rest = parser.parse_known_args(words)
    for word in rest:
        if word.startswith("-") and word.lstrip("-"):
            _refuse(parser, word)
    return AskOptions(
        parameters=_parameters(found),
        model=found.model,
        system=found.system,
        strict=found.strict,
        live=found.stream is not False,
        help=found.help,
    ), list(rest)


def _parameters(found: argparse.Namespace) -> dict[str, Value]:
    """Return the checked generation parameters that were given."""
    given: dict[str, Value] = {}
    for name, parameter in PARAMETERS.items():
        words = getattr(found, name)
        if words is None:
            continue
        try:
            given[name] = (
                parameter.parse(words)
                if isinstance(words, str)
                else parameter.check(words)
            )
        except ParameterError as error:
            raise ParameterError(f"%%h2o {parameter.option}: {error}") from error
    return given


def _refuse(parser: argparse.ArgumentParser, word: str) -> NoReturn:
    known = [
        name
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    ]
    name = word.partition("=")[0]
    raise ConfigurationError(
        f"%%h2o: unknown option {name}: {did_you_mean(name, known)}"
    )


def _parser() -> _Parser:
    parser = _Parser(
        prog="%%h2o",
        usage="%%%%h2o [options]   (the question stands on the lines below)\n"
        "       %%h2o ask [options] QUESTION",
        add_help=False,
        allow_abbrev=False,
        argument_default=None,
        formatter_class=_help_format,
    )
    parser.color = False  # Python 3.14 would colour it where the kernel asks for colour
    add = parser.add_argument_group("options").add_argument
    add("-m", "--model", metavar="NAME", help="the model; `%%h2o models` lists them")
    add("-s", "--system", metavar="TEXT", help="how the model is to answer")
    add(
        "--strict",
        action=argparse.BooleanOptionalAction,
        help="refuse rather than answer from built-in demo weights",
    )
    add(
        "--stream",
        action=argparse.BooleanOptionalAction,
        help="show the answer while it comes (the default), or at its end",
    )
    add("-h", "--help", action="store_true", help="show this and send nothing")
    generation = parser.add_argument_group("generation parameters")
    for parameter in PARAMETERS.values():
        _add_parameter(generation, parameter)
    return parser


def _help_format(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=30, width=88)


def _add_parameter(group: argparse._ArgumentGroup, parameter: Parameter) -> None:
    text = parameter.help
    if parameter.default is not None:
        text += f" Default: {str(parameter.default).lower()}."
    text = text.replace("%", "%%")
    if parameter.kind is bool:
        group.add_argument(
            parameter.option, action=argparse.BooleanOptionalAction, help=text
        )
        return
    group.add_argument(
        parameter.option,
        action="append" if parameter.kind is tuple else "store",
        metavar={int: "N", float: "X", tuple: "TEXT"}[parameter.kind],
        help=text,
    )
