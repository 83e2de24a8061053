"""``%h2o export`` and ``%h2o import``: conversations to and from files."""

from __future__ import annotations

from pathlib import Path

from h2o_magic.config.command_line import quote
from h2o_magic.config.units import counted, size_in_words
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import reply
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Arguments


def export(context: CommandContext, args: Arguments) -> None:
    """Write turns to a .md, .json, .jsonl or .ipynb file."""
    session, path, everything = context.session, args["FILE"], "--all" in args
    name = named_thread(context, args)
    count = session.export(
        path, thread=name, everything=everything, overwrite="--overwrite" in args
    )
    threads = counted(len(session.threads()), "thread") if everything else name
    size = size_in_words(Path(path).expanduser().stat().st_size)
    line = f"Exported {counted(count, 'turn')} of {{threads}} to {{file}}, {size}."
    reply(context, line, threads=threads, file=path)


def import_(context: CommandContext, args: Arguments) -> None:
    """Read turns from a .json, .jsonl or .ipynb file."""
    session, file = context.session, args["FILE"]
    imported = session.import_file(file, thread=args.get("--thread"))
    names = {f"name{index}": thread.name for index, thread in enumerate(imported)}
    counts = ", ".join(
        f"{counted(len(thread.turns), 'turn')} in {{name{index}}}"
        for index, thread in enumerate(imported)
    )
    line = f"Imported from {{file}}: {counts}."
    if session.thread not in names.values():
        line += " Switch to it: `%h2o thread {first}`."
    elif len(imported) == 1:
        line += " `%h2o undo` reverts this."
    reply(context, line, file=file, first=quote(imported[0].name), **names)
