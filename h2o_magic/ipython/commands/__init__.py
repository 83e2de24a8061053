"""The subcommands of ``%h2o``: one function each, found by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.commands import (
    aliases,
    answers,
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
    weights,
)
from h2o_magic.ipython.commands.base import CommandContext, Subcommand
from h2o_magic.ipython.commands.output import say
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.ipython.options import help_rows, help_text
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
    """Run the subcommand that `line` begins with; without one, show help.

    Raises
    ------
    ConfigurationError
        If there is no such subcommand, or what follows it is refused.
    """
    name, *more = line.split(maxsplit=1)[:2] or [""]
    rest = "".join(more).strip()
    command = find(name)
    if command is None:
        raise ConfigurationError(
            f"%h2o: unknown subcommand {name!r}: {did_you_mean(name, SUBCOMMANDS)} "
            "(to ask on a line: `%h2o ask QUESTION`)"
        )
    if command.free:
        command.run(context, Given(command.name, rest))
    elif {"-h", "--help"} & set(rest.split()):
        say(context, f"`{_typed(command)}`: {command.help}.")
    else:
        command.run(context, usage.read(command.name, command.usage, rest))


def find(name: str) -> Subcommand | None:
    """Return the subcommand with this name or synonym; None if there is none."""
    return SUBCOMMANDS.get(_SYNONYMS.get(name, name))


def _ask(context: CommandContext, given: Given) -> None:
    context.ask_line(given.rest)


def _version(context: CommandContext, _: Given) -> None:
    from importlib.metadata import version  # noqa: PLC0415

    say(context, "h2o_magic {version}", version=version("h2o-magic"))


def _panel(context: CommandContext, _: Given) -> None:
    context.open_panel()


def _help(context: CommandContext, _: Given) -> None:
    show_help(context)


_GROUPS = {
    "asking": (
        Subcommand("ask", "[options] QUESTION", "ask on a line", _ask, free=True),
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
        Subcommand("panel", "", "a chat on the same conversation", _panel),
    ),
    "the conversation": (
        Subcommand(
            "history",
            "[--thread NAME] [--last N] [--full]",
            "the turns so far",
            history.history,
        ),
        Subcommand("show", "N [--thread NAME]", "one turn whole", history.show),
        Subcommand(
            "answers",
            "N [--use N] [--thread NAME]",
            "what was asked and answered in a turn's place; --use: put one there",
            answers.answers,
        ),
        Subcommand(
            "undo", "[--thread NAME]", "take the last change back", changes.undo
        ),
        Subcommand(
            "redo",
            "[--thread NAME]",
            "make a change again that was taken back",
            changes.redo,
        ),
        Subcommand("drop", "N [--thread NAME]", "take one turn out", changes.drop),
        Subcommand(
            "reset",
            "[--thread NAME | --all] [--erase]",
            "forget the turns and begin anew; --erase: from the disk too",
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
    "threads: conversations side by side": (
        Subcommand("threads", "", "all threads of this notebook", threads.threads),
        Subcommand(
            "thread",
            "[NAME]",
            "go to a thread, old or new; without NAME: say which is current",
            threads.thread,
        ),
        Subcommand(
            "fork",
            "NEW [--at N] [--thread NAME] [--overwrite]",
            "copy turns 1 to N into a new thread, and go there",
            threads.fork,
        ),
    ),
    "models, server and help": (
        Subcommand(
            "status", "", "what runs, where, and with which settings", status.status
        ),
        Subcommand(
            "connect",
            "[SERVER] [--name NAME] [--dialect DIALECT] [--key-env VAR | "
            "--key-ring SERVICE | --key-prompt] [--forget | --scan]",
            "go to a server: its address, its name, or local; alone: list the known "
            "ones; --scan: look for some on this machine",
            connect.connect,
        ),
        Subcommand(
            "alias",
            "[NAME=MODEL]",
            "a name of yours for a model; NAME= takes it away; alone: list them",
            aliases.alias,
        ),
        Subcommand(
            "preset",
            "[PRESET] [--save NAME | --remove PRESET]",
            "parameters under a name: precise, balanced, creative, yours; alone: list "
            "them; --save: keep those in force",
            presets.preset,
        ),
        Subcommand(
            "models", "", "the models, and which weights would answer", models.models
        ),
        Subcommand(
            "pull", "MODEL", "download a model's real weights", weights.pull, free=True
        ),
        Subcommand(
            "rm",
            "MODEL",
            "remove a model's downloaded weights",
            weights.remove,
            free=True,
        ),
        Subcommand("help", "", "this list, and the options of a question", _help),
        Subcommand("version", "", "the version of this package", _version),
    ),
}

#: Every subcommand by name, in the order in which help lists them.
SUBCOMMANDS: Mapping[str, Subcommand] = {
    command.name: command for group in _GROUPS.values() for command in group
}


def show_help(context: CommandContext) -> None:
    """Show the subcommands and the options; nothing is sent."""
    plain = "\n".join([help_text().rstrip(), *_plain_groups()]).replace("`", "")
    show_markdown(context.shell, _help_markdown(), plain)


def _plain_groups() -> Iterator[str]:
    for title, group in _GROUPS.items():
        yield f"\n{title}:"
        for command in group:
            typed = f"  {_typed(command)}"
            # As argparse does it: help goes below where the usage is long.
            yield f"{typed:<29} {command.help}" if len(typed) < 29 else typed
            if len(typed) >= 29:
                yield f"{'':<29} {command.help}"


def _help_markdown() -> str:
    commands = [["`%%h2o [options]`", "ask what stands on the lines below"]]
    for title, group in _GROUPS.items():
        if title != "asking":
            commands.append([f"**{title}**", ""])
        commands += [[f"`{_typed(command)}`", command.help] for command in group]
    return (
        f"{tables.as_markdown(['command', 'what it does'], commands)}\n\n"
        f"{tables.as_markdown(['option', 'meaning', 'default'], help_rows())}"
    )


def _typed(command: Subcommand) -> str:
    return f"%h2o {command.name} {command.usage}".rstrip()
