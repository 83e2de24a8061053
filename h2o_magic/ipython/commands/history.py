"""``%h2o history`` and ``%h2o show``: reading the conversation."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from h2o_magic.chat.turns import Turn
from h2o_magic.config.units import counted
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import filled, say
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.rendering import tables
from h2o_magic.rendering.history import TURN_HEAD, turn_markdown, turn_plain, turn_rows

#: Turns that are listed if no number is given: as many outputs as JupyterLab shows.
_LAST = 50


def history(context: CommandContext, given: Given) -> None:
    """List the turns of a thread, or show them whole."""
    name = named_thread(context, given)
    turns = context.session.turns(name, last=given.number("--last") or _LAST)
    if not turns:
        say(context, "{name} has no turns yet: ask something.", name=name)
    elif "--full" in given:
        _show_whole(context, turns, _earlier(turns, given))
    else:
        _show_table(context, turns, _earlier(turns, given))


def show(context: CommandContext, given: Given) -> None:
    """Show one turn whole."""
    turn = context.session.turn(int(given["N"]), named_thread(context, given))
    show_markdown(context.shell, turn_markdown(turn), turn_plain(turn))


def _show_table(
    context: CommandContext, turns: Sequence[Turn], earlier: tuple[str, str] | None
) -> None:
    rows = turn_rows(turns, datetime.now())
    markdown = tables.as_markdown(TURN_HEAD, rows)
    plain = tables.as_text(TURN_HEAD, rows)
    if earlier:
        markdown, plain = f"{earlier[0]}\n\n{markdown}", f"{earlier[1]}\n\n{plain}"
    show_markdown(context.shell, markdown, plain)


def _show_whole(
    context: CommandContext, turns: Sequence[Turn], earlier: tuple[str, str] | None
) -> None:
    """Show each turn as an output of its own.

    A comment or an element that one answer leaves open then ends with it.
    """
    for index, turn in enumerate(turns):
        markdown, plain = turn_markdown(turn), turn_plain(turn)
        if earlier and not index:
            markdown, plain = f"{earlier[0]}\n\n{markdown}", f"{earlier[1]}\n\n{plain}"
        show_markdown(context.shell, markdown, f"{plain}\n")


def _earlier(turns: Sequence[Turn], given: Given) -> tuple[str, str] | None:
    """Return a line about the turns before those that are shown, in both forms."""
    count = turns[0].number - 1
    if not count:
        return None
    thread = given.text("--thread")
    options = [f"--thread {shlex.quote(thread)}"] if thread else []
    options += ["--full"] if "--full" in given else []
    options += [f"--last {turns[-1].number}"]
    return filled(
        f"… and {counted(count, 'earlier turn')}: `%h2o history {{options}}`",
        options=" ".join(options),
    )
