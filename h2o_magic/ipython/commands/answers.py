"""``%h2o answers``: what was asked and answered in one turn's place."""

from __future__ import annotations

import shlex
from datetime import datetime

from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import filled, say, show_table
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.history import TURN_HEAD, turn_rows
from h2o_magic.rendering.tables import shorten


def answers(context: CommandContext, given: Given) -> None:
    """List the versions of a turn, or put one in its place."""
    session, number = context.session, int(given["N"])
    name, use = named_thread(context, given), given.number("--use")
    elsewhere = " --thread {typed}" if name != session.thread else ""
    typed = shlex.quote(name)
    if use is not None:
        turn = session.choose_version(number, use, name)
        said = (
            f"Turn {number} of {{name}} is now answer {use}: “{{question}}”. "
            f"`%h2o undo{elsewhere}` takes it back."
        )
        question = shorten(turn.question)
        say(context, said, name=name, question=question, typed=typed)
        return
    found = session.versions(number, name)
    rows = turn_rows(found.turns, datetime.now())
    for version, row in enumerate(rows, 1):
        row[0] = f"{version} ✓" if version == found.chosen else str(version)
    below = []
    if len(rows) > 1:
        said = f"`%h2o answers {number} --use N{elsewhere}` puts another in its place."
        below.append(filled(said, typed=typed))
    show_table(context, TURN_HEAD, rows, below)
