"""The options of ``%%h2o`` and ``%h2o ask``: one parser, made from the settings."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, NoReturn

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.config.settings import find_option
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.namespace import owned_by_shell
from h2o_magic.ipython.option_words import leading_options, words_of

_SHORT = {"model": ["-m"], "system": ["-s"]}


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What the options of one question say.

    Attributes
    ----------
    settings : dict
        The settings that were given, by name, checked.
    history : bool
        False if the question is asked outside the conversation.
    new : bool
        True if a new conversation begins with the question.
    live : bool
        False if the answer is to be shown at its end only.
    raw : bool
        True if names in braces are to stand as they are.
    preview : bool
        True if what would be sent is to be shown, and nothing sent.
    out : str or None
        The variable that is to hold the answer.
    quiet : bool
        True if ``_`` and ``Out`` are not to hold it.
    schema : str or None
        A variable or a file with the JSON schema that the answer is to fit.
    help : bool
        True if only help is wanted.
    """

    settings: dict[str, Value | None] = field(default_factory=dict)
    history: bool = True
    new: bool = False
    live: bool = True
    raw: bool = False
    preview: bool = False
    out: str | None = None
    quiet: bool = False
    schema: str | None = None
    help: bool = False


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    color: bool

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"%%h2o: {message} (`%%h2o --help` lists all options)")


def parse_cell_line(line: str) -> AskOptions:
    """Read the options on the first line of a ``%%h2o`` cell."""
    options, rest = parse_words(words_of(line))
    if rest:
        raise ConfigurationError(
            f"%%h2o: expected options, got {rest[0]!r}: put the question on the lines "
            "below (`--model NAME` chooses a model, `%h2o help` lists commands)"
        )
    return options


def parse_ask(line: str) -> tuple[AskOptions, str]:
    """Read options at the beginning of a line, and return them with the question.

    The question is the rest of the line as it stands: quotes in it mean nothing.
    """
    takes_value = {
        name
        for action in _parser()._actions
        if action.nargs is None
        for name in action.option_strings
    }
    words, question = leading_options(line, takes_value)
    options, _ = parse_words(words)
    return options, question


def retry_settings(options: AskOptions) -> dict[str, Any]:
    """Return the settings that differ where a turn is asked again."""
    if options.new or not options.history:
        raise ConfigurationError(
            "%h2o retry: it asks again from the turn's own place: leave out "
            f"`{'--new' if options.new else '--no-history'}`"
        )
    for name in ("raw", "preview", "schema"):
        if getattr(options, name):
            raise ConfigurationError(
                f"%h2o retry: it asks the same again: leave out `--{name}`"
            )
    return dict(options.settings)


def help_text(usage: str = "", *, without: Collection[str] = ()) -> str:
    """Return the help on all options, as plain text.

    Parameters
    ----------
    usage
        How they are used, if not in a cell.
    without
        Options that are not to be shown, by what they are kept as.
    """
    parser = _parser()
    parser.usage = usage or parser.usage
    for action in parser._actions:
        if action.dest in without:
            action.help = argparse.SUPPRESS
    return parser.format_help()


def help_rows() -> list[list[str]]:
    """Return the help on all options as rows of option, meaning and default."""
    rows = []
    for action in _parser()._actions:
        setting = SETTINGS.get(action.dest)
        names = [
            f"`{name} {action.metavar or ''}".rstrip() + "`"
            for name in action.option_strings
        ]
        meaning = setting.help if setting else str(action.help).replace("%%", "%")
        value, unit = _default(setting)
        shown = f"`{value}` {unit}".rstrip() if value else ""
        rows.append([", ".join(names), meaning, shown])
    return rows


def parse_words(words: Sequence[str]) -> tuple[AskOptions, list[str]]:
    """Return the options among words, and the other words.

    Raises
    ------
    ConfigurationError
        If an option is unknown or its value is refused.
    """
    parser = _parser()
    found, rest = parser.parse_known_args(words)
    for word in rest:
        # A word with a space in it is text: `h2o-magic ask "-5 + 3 = ?"`.
        if word.startswith("-") and word.lstrip("-") and " " not in word:
            _refuse(parser, word)
    return AskOptions(
        settings=_given(found),
        history=found.history,
        new=found.new,
        live=found.stream is not False,
        raw=found.raw,
        preview=found.preview,
        out=_variable(found.out),
        quiet=found.quiet,
        schema=found.schema,
        help=found.help,
    ), list(rest)


def _variable(name: str | None) -> str | None:
    if name is not None and (not name.isidentifier() or iskeyword(name)):
        raise ConfigurationError(
            f"%%h2o --out: expected the name of a variable, got {name!r}"
        )
    if name is not None and owned_by_shell(name):
        raise ConfigurationError(
            f"%%h2o --out: expected a name of your own, got {name!r}, which IPython "
            "uses itself: choose another"
        )
    return name


def _given(found: argparse.Namespace) -> dict[str, Value | None]:
    """Return the settings that were given, checked."""
    given: dict[str, Value | None] = {}
    for name, setting in SETTINGS.items():
        words = getattr(found, name, None)
        if words is None:
            continue
        try:
            given[name] = _value(setting, words)
        except ConfigurationError as error:
            raise type(error)(f"%%h2o {setting.option}: {error}") from error
    return given


def _value(setting: Parameter, words: bool | str | list[str]) -> Value | None:
    """Return what the words mean; one word alone may stand for a list, or for none."""
    if isinstance(words, list) and len(words) == 1:
        words = words[0]
    return setting.parse(words) if isinstance(words, str) else setting.check(words)


def _refuse(parser: argparse.ArgumentParser, word: str) -> NoReturn:
    option = word.partition("=")[0]
    name = option.lstrip("-").removeprefix("no-").replace("-", "_")
    if name in PARAMETERS or (name in SETTINGS and not SETTINGS[name].option):
        find_option(name)  # says where it belongs, or how it is set
    known = [
        name
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    ]
    raise ConfigurationError(
        f"%%h2o: unknown option {option}: {did_you_mean(option, known)}"
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
    options = parser.add_argument_group("options")
    _add_settings(options, [name for name in SETTINGS if name not in CHAT_PARAMETERS])
    _add_switches(options)
    generation = parser.add_argument_group(
        "generation parameters",
        "Without one, the model's own value counts; so it does with the value `none`.",
    )
    _add_settings(generation, CHAT_PARAMETERS)
    return parser


def _help_format(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=30, width=88)


def _add_settings(group: argparse._ArgumentGroup, names: Iterable[str]) -> None:
    for setting in (SETTINGS[name] for name in names):
        value, unit = _default(setting)
        default = f" Default: {value} {unit}".rstrip() + "." if value else ""
        text = (setting.help + default).replace("%", "%%")
        options = [*_SHORT.get(setting.name, ()), setting.option]
        if not setting.option:
            continue
        if setting.kind is bool:
            group.add_argument(
                *options,
                dest=setting.name,
                action=argparse.BooleanOptionalAction,
                help=text,
            )
        else:
            action = "append" if setting.kind is tuple else "store"
            group.add_argument(
                *options,
                dest=setting.name,
                action=action,
                metavar=setting.metavar,
                help=text,
            )


def _add_switches(group: argparse._ArgumentGroup) -> None:
    place = group.add_mutually_exclusive_group()
    place.add_argument(
        "--no-history",
        dest="history",
        action="store_false",
        help="Ask outside the conversation: nothing of it is sent, and it is not kept.",
    )
    place.add_argument(
        "--new",
        action="store_true",
        help="Begin a new conversation with this question.",
    )
    group.add_argument(
        "--stream",
        action=argparse.BooleanOptionalAction,
        help="Show the answer while it comes (the default), or at its end.",
    )
    group.add_argument(
        "-o", "--out", metavar="NAME", help="Keep the answer in this variable."
    )
    group.add_argument(
        "--quiet", action="store_true", help="Keep it out of `_` and `Out`."
    )
    group.add_argument(
        "--schema",
        metavar="NAME|FILE",
        help="The JSON schema that the answer is to fit: a variable, or a file.",
    )
    group.add_argument(
        "--raw", action="store_true", help="Let names in braces stand as they are."
    )
    group.add_argument(
        "--preview",
        action="store_true",
        help="Show what would be sent, and send nothing.",
    )
    group.add_argument(
        "-h", "--help", action="store_true", help="Show this and send nothing."
    )


def _default(setting: Parameter | None) -> tuple[str, str]:
    """Return a default's text and unit; two empty ones where there is no default."""
    if setting is None or setting.default in (None, ""):
        return "", ""
    return setting.write(setting.default), setting.unit
