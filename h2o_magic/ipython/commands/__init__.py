"""The commands of ``%h2o``: one function each, found by name."""

from __future__ import annotations

from collections.abc import Mapping

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.commands import (
    changes,
    connect,
    files,
    fix,
    history,
    models,
    presets,
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

_SYNONYMS = {
    "": "help",
    "--help": "help",
    "-h": "help",
    "--version": "version",
    "error": "fix",
}

__all__ = ["SUBCOMMANDS", "Subcommand", "find", "run", "show_help"]


def run(context: CommandContext, line: str) -> None:
    """Run the command that `line` begins with; without one, show help.

    Raises
    ------
    ConfigurationError
        If the command is unknown, or its arguments are refused.
    """
    name, *more = line.split(maxsplit=1)[:2] or [""]
    rest = "".join(more).strip()
    command = find(name)
    if command is None:
        raise ConfigurationError(
            f"%h2o: unknown command {name!r}: {did_you_mean(name, SUBCOMMANDS)} "
            "(to ask on one line: `%h2o ask QUESTION`)"
        )
    if command.free:
        command.run(context, Arguments(command.name, rest))
    elif {"-h", "--help"} & set(rest.split()):
        reply(context, f"`{_typed(command)}`: {command.help}.")
    else:
        command.run(context, usage.parse(command.name, command.usage, rest))


def find(name: str) -> Subcommand | None:
    """Return the command with this name or synonym; None if there is none."""
    return SUBCOMMANDS.get(_SYNONYMS.get(name, name))


def _ask(context: CommandContext, args: Arguments) -> None:
    context.ask(*parse_ask(args.rest))


def _version(context: CommandContext, _: Arguments) -> None:
    from importlib.metadata import version  # noqa: PLC0415

    reply(context, "h2o_magic {version}", version=version("h2o-magic"))


_GROUPS = {
    "questions": (
        Subcommand("ask", "[options] QUESTION", "ask on one line", _ask, free=True),
        Subcommand(
            "retry",
            "[options]",
            "ask the last question again, in its place",
            changes.retry,
            free=True,
        ),
        Subcommand(
            "fix",
            "[options]",
            "explain the last error, and offer the corrected cell",
            fix.fix,
            free=True,
        ),
        Subcommand(
            "panel",
            "",
            "open a chat panel on the same conversation",
            lambda context, _: context.open_panel(),
        ),
    ),
    "conversation": (
        Subcommand(
            "history",
            "[--thread NAME] [--last N] [--full]",
            "list the turns",
            history.history,
        ),
        Subcommand("show", "N [--thread NAME]", "show one turn in full", history.show),
        Subcommand(
            "answers",
            "N [--use N] [--thread NAME]",
            "list all questions and answers in a turn's place; --use: select one",
            history.answers,
        ),
        Subcommand("undo", "[--thread NAME]", "undo the last change", changes.undo),
        Subcommand(
            "redo", "[--thread NAME]", "redo the last undone change", changes.redo
        ),
        Subcommand("drop", "N [--thread NAME]", "remove one turn", changes.drop),
        Subcommand(
            "reset",
            "[--thread NAME | --all] [--erase]",
            "clear the turns and start over; --erase: delete them from disk, too",
            changes.reset,
        ),
        Subcommand(
            "export",
            "FILE [--thread NAME | --all] [--overwrite]",
            "write the turns to a .md, .json, .jsonl or .ipynb file",
            files.export,
        ),
        Subcommand(
            "import",
            "FILE [--thread NAME]",
            "read turns from a .json, .jsonl or .ipynb file",
            files.import_,
        ),
    ),
    "threads (parallel conversations)": (
        Subcommand("threads", "", "list the threads of this notebook", threads.threads),
        Subcommand(
            "thread",
            "[NAME]",
            "switch to a thread, old or new; without NAME: show the current one",
            threads.thread,
        ),
        Subcommand(
            "fork",
            "NEW [--at N] [--thread NAME] [--overwrite]",
            "copy turns 1 to N to a new thread, and switch to it",
            threads.fork,
        ),
    ),
    "models, server and help": (
        Subcommand(
            "status", "", "show server, model, settings and storage", status.status
        ),
        Subcommand(
            "connect",
            "[SERVER] [--name NAME] [--dialect DIALECT] [--key-env VAR | "
            "--key-ring SERVICE | --key-prompt] [--forget | --scan]",
            "use another server: its address, its name, or local; without SERVER: "
            "list the known ones; --scan: search this machine",
            connect.connect,
        ),
        Subcommand(
            "alias",
            "[NAME=MODEL]",
            "define a name for a model; NAME= removes it; without: list them",
            models.alias,
        ),
        Subcommand(
            "preset",
            "[PRESET] [--save NAME | --remove PRESET]",
            "use named parameters: precise, balanced, creative or your own; --save: "
            "save the current ones; without: list them",
            presets.preset,
        ),
        Subcommand("models", "", "list the models and their weights", models.models),
        Subcommand("pull", "MODEL", "download a model", models.pull, free=True),
        Subcommand(
            "rm", "MODEL", "remove a downloaded model", models.remove, free=True
        ),
        Subcommand("help", "", "show this help", lambda context, _: show_help(context)),
        Subcommand("version", "", "show the version of this package", _version),
    ),
}

#: Every command by name, in the order in which help lists them.
SUBCOMMANDS: Mapping[str, Subcommand] = {
    command.name: command for group in _GROUPS.values() for command in group
}


def show_help(context: CommandContext) -> None:
    """Show the commands and the options; nothing is sent."""
    plain = [help_text().rstrip()]
    rows = [["`%%h2o [options]`", "ask what stands on the lines below"]]
    for title, group in _GROUPS.items():
        plain.append(f"\n{title}:")
        if title != "questions":
            rows.append([f"**{title}**", ""])
        for command in group:
            typed = _typed(command)
            rows.append([f"`{typed}`", command.help])
            # As argparse does it: help goes below where the usage is long.
            line = f"  {typed:<27}" if len(typed) < 27 else f"  {typed}\n{'':<29}"
            plain.append(f"{line} {command.help}")
    markdown = [
        tables.as_markdown(["command", "what it does"], rows),
        tables.as_markdown(["option", "meaning", "default"], help_rows()),
    ]
    text = "\n".join(plain).replace("`", "")
    show_markdown(context.shell, "\n\n".join(markdown), text)


def _typed(command: Subcommand) -> str:
    return f"%h2o {command.name} {command.usage}".rstrip()
