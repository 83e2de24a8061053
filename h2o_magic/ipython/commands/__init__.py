"""The commands of ``%h2o``: one function each, found by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from h2o_magic.config.url import check_base_url
from h2o_magic.conversation.answer import Answer
from h2o_magic.errors import ConfigurationError, did_you_mean, nearest
from h2o_magic.ipython.commands import (
    changes,
    connect,
    files,
    fix,
    history,
    models,
    presets,
    runs,
    status,
    threads,
    usage,
)
from h2o_magic.ipython.commands.base import CommandContext, Subcommand
from h2o_magic.ipython.commands.output import reply
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.ipython.options import help_rows, help_text, parse_ask
from h2o_magic.rendering import tables

if TYPE_CHECKING:
    from h2o_magic.chat_panel import Place
    from h2o_magic.ipython.side_by_side import Answers

_SYNONYMS = {
    "": "help",
    "--help": "help",
    "-h": "help",
    "--version": "version",
    "error": "fix",
}

__all__ = ["SUBCOMMANDS", "Subcommand", "find", "run", "show_help"]


def run(context: CommandContext, line: str) -> Answer | Answers | None:
    """Run the command that `line` begins with, and return the answer of one that asks.

    Without a command, show help.
    """
    name, *more = line.split(maxsplit=1)[:2] or [""]
    rest = "".join(more).strip()
    command = find(name)
    if command is None:
        raise ConfigurationError(f"%h2o: unknown command {name!r}: {_hint(name)}")
    if command.free:
        return command.run(context, Arguments(command.name, rest))
    if command.name == "connect" and rest.startswith("curl "):
        check_base_url(rest)  # which says what to write
    arguments = usage.parse(command.name, command.usage, rest, context.option)
    if "--help" in arguments:
        reply(context, f"`{command.typed}`: {command.help}.")
        return None
    return command.run(context, arguments)


def _hint(name: str) -> str:
    if nearest(name, SUBCOMMANDS):
        return (
            f"{did_you_mean(name, SUBCOMMANDS)} "
            "(to ask on one line: `%h2o ask QUESTION`)"
        )
    return "`%h2o help` lists them; to ask on one line, `%h2o ask QUESTION`"


def find(name: str) -> Subcommand | None:
    """Return the command with this name or synonym; None if there is none."""
    return SUBCOMMANDS.get(_SYNONYMS.get(name, name))


def ask(context: CommandContext, args: Arguments) -> Answer | Answers | None:
    """Ask on one line."""
    return context.ask(*parse_ask(args.rest, context.option))


def panel(context: CommandContext, args: Arguments) -> None:
    """Open a chat panel on the conversation, in the cell or beside the notebook."""
    place: Place = "cell"
    if "--right" in args:
        place = "right"
    elif "--tab" in args:
        place = "tab"
    context.panel(place).show()


def help_(context: CommandContext, _: Arguments) -> None:
    """Show this help."""
    show_help(context)


def version(context: CommandContext, _: Arguments) -> None:
    """Show the version of this package."""
    reply(context, "h2o_magic {version}", version=metadata.version("h2o-magic"))


_GROUPS = {
    "questions": (
        Subcommand("[options] QUESTION", ask, free=True),
        Subcommand("[options]", changes.retry, free=True),
        Subcommand("[options]", fix.fix, free=True),
        Subcommand("[--right | --tab]", panel),
    ),
    "conversation": (
        Subcommand(
            "[--thread NAME | --search TEXT] [--last N] [--full]", history.history
        ),
        Subcommand("N [--thread NAME]", history.show),
        Subcommand("N [--use N] [--thread NAME]", history.answers),
        Subcommand("[--thread NAME]", changes.undo),
        Subcommand("[--thread NAME]", changes.redo),
        Subcommand("N [--thread NAME]", changes.drop),
        Subcommand("[--thread NAME | --all] [--erase]", changes.reset),
        Subcommand("FILE [--thread NAME | --all] [--overwrite]", files.export),
        Subcommand("FILE [--thread NAME]", files.import_),
    ),
    "threads (parallel conversations)": (
        Subcommand("", threads.threads),
        Subcommand("[NAME] [--title TITLE]", threads.thread),
        Subcommand("NEW [--at N] [--thread NAME] [--overwrite]", threads.fork),
    ),
    "prompts over tables": (Subcommand("[--forget ID] [--yes]", runs.runs),),
    "models, server and help": (
        Subcommand("", status.status),
        Subcommand(
            "[SERVER] [--name NAME] [--dialect DIALECT] [--key-env VAR | "
            "--key-ring SERVICE | --key-prompt] [--forget | --scan]",
            connect.connect,
        ),
        Subcommand("[MODEL]", models.model),
        Subcommand("[NAME=MODEL]", models.alias),
        Subcommand("[PRESET] [--save NAME | --remove PRESET]", presets.preset),
        Subcommand("", models.models),
        Subcommand("MODEL", models.pull, free=True),
        Subcommand("MODEL", models.rm, free=True),
        Subcommand("", help_),
        Subcommand("", version),
    ),
}

#: Every command by name, in the order in which help lists them.
SUBCOMMANDS: Mapping[str, Subcommand] = {
    command.name: command for group in _GROUPS.values() for command in group
}


#: What cells can be, and what each does.
_CELLS = {
    "%%h2o [options]": "ask the question on the lines below",
    "%%h2o --model A,B": "ask several models, and show their answers side by side; "
    "with `--use B` the conversation goes on with the answer of B",
    "%%h2o map TABLE [options]": "ask the prompt on the lines below for each row of a "
    "table; `%%h2o map --help` lists its options",
}


def show_help(context: CommandContext) -> None:
    """Show the commands and the options; nothing is sent."""
    plain = [help_text().rstrip(), "\ncells:"]
    rows = [[f"`{typed}`", what] for typed, what in _CELLS.items()]
    plain += [_plain(typed, what) for typed, what in _CELLS.items()]
    for title, group in _GROUPS.items():
        plain.append(f"\n{title}:")
        if title != "questions":
            rows.append([f"**{title}**", ""])
        for command in group:
            typed = command.typed
            rows.append([f"`{typed}`", command.help])
            plain.append(_plain(typed, command.help))
    markdown = [
        tables.as_markdown(["command", "what it does"], rows),
        tables.as_markdown(["option", "meaning", "default"], help_rows()),
    ]
    text = "\n".join(plain).replace("`", "")
    show_markdown(context.shell, "\n\n".join(markdown), text)


def _plain(typed: str, meaning: str) -> str:
    """Return a line as argparse writes it: help goes below where the usage is long."""
    line = f"  {typed:<27}" if len(typed) < 27 else f"  {typed}\n{'':<29}"
    return f"{line} {meaning}"
