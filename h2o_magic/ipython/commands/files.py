"""``%h2o export`` and ``%h2o import``: conversations to and from files."""

from __future__ import annotations

import shlex
from pathlib import Path

from h2o_magic.chat.turns import Thread
from h2o_magic.config.units import counted, size_in_words
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Given


def export(context: CommandContext, given: Given) -> None:
    """Write a thread, or all of them, to a file."""
    session, path = context.session, given["FILE"]
    everything = "--all" in given
    name = named_thread(context, given)
    count = session.export(
        path, thread=name, everything=everything, overwrite="--overwrite" in given
    )
    whose = counted(len(session.threads()), "thread") if everything else name
    say(
        context,
        f"{counted(count, 'turn')} of {{whose}} in {{file}}, "
        f"{size_in_words(Path(path).expanduser().stat().st_size)}.",
        whose=whose,
        file=path,
    )


def import_(context: CommandContext, given: Given) -> None:
    """Read conversations from a file into threads."""
    session = context.session
    came = session.import_file(given["FILE"], thread=given.text("--thread"))
    here = [thread for thread in came if thread.name == session.thread]
    names = {f"name{index}": thread.name for index, thread in enumerate(came)}
    said = f"From {{file}}: {_counts(came)}."
    if len(came) == 1 and here:
        said += " `%h2o undo` takes it back."
    elif not here:
        said += " Go there: `%h2o thread {first}`."
    say(context, said, file=given["FILE"], first=shlex.quote(came[0].name), **names)


def _counts(came: tuple[Thread, ...]) -> str:
    """Return how many turns came into which thread, with places for their names."""
    return ", ".join(
        f"{counted(len(thread.turns), 'turn')} in {{name{index}}}"
        for index, thread in enumerate(came)
    )
