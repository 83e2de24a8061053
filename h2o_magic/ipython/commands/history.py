"""``%h2o history``, ``show`` and ``answers``: reading the conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from h2o_magic.chat.turns import Turn
from h2o_magic.config.command_line import quote
from h2o_magic.config.units import counted
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import Both, fill, reply, show_table
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.rendering.history import (
    HIT_HEAD,
    TURN_HEAD,
    hit_rows,
    turn_markdown,
    turn_plain,
    turn_rows,
)
from h2o_magic.rendering.tables import shorten

#: Turns that are listed if no number is given: as many outputs as JupyterLab shows.
_LAST = 50


def history(context: CommandContext, args: Arguments) -> None:
    """List the turns of a thread, or find TEXT in all; --full shows them in full."""
    if "--search" in args:
        _search(context, args)
        return
    name = named_thread(context, args)
    turns = context.session.turns(name, last=args.number("--last") or _LAST)
    if not turns:
        reply(context, "Thread {name} has no turns yet.", name=name)
        return
    above = _earlier(turns, args)
    if "--full" not in args:
        rows = turn_rows(turns, datetime.now())
        show_table(context, TURN_HEAD, rows, above=above)
        return
    # Each turn is an output of its own: a comment or an element that one answer leaves
    # open ends with it.
    for turn in turns:
        _show(context, turn, above if turn is turns[0] else None, end="\n")


def _search(context: CommandContext, args: Arguments) -> None:
    """List the turns with all words of a text; with --full, show them."""
    text, most = args["--search"], args.number("--last") or _LAST
    hits = context.session.search(text, most=most)
    if not hits:
        reply(context, "No question or answer contains {text}.", text=text)
    elif "--full" in args:
        for hit in hits:
            _show(context, hit.turn, end="\n")
    else:
        below = fill("`%h2o show N --thread NAME` shows a turn in full.")
        show_table(context, HIT_HEAD, hit_rows(hits, datetime.now()), below=[below])


def show(context: CommandContext, args: Arguments) -> None:
    """Show one turn in full."""
    _show(context, context.session.turn(int(args["N"]), named_thread(context, args)))


def answers(context: CommandContext, args: Arguments) -> None:
    """List the versions of a turn; --use selects one."""
    session, number = context.session, int(args["N"])
    name, use = named_thread(context, args), args.number("--use")
    thread = quote(name)
    elsewhere = " --thread {thread}" if name != session.thread else ""
    if use is not None:
        turn = session.choose_version(number, use, name)
        line = (
            f"Turn {number} of {{name}} now has answer {use}: “{{question}}”. "
            f"`%h2o undo{elsewhere}` reverts this."
        )
        question = shorten(turn.question)
        reply(context, line, name=name, question=question, thread=thread)
        return
    found = session.versions(number, name)
    rows = turn_rows(found.turns, datetime.now())
    for version, row in enumerate(rows, 1):
        row[0] = f"{version} ✓" if version == found.chosen else str(version)
    line = f"`%h2o answers {number} --use N{elsewhere}` selects another answer."
    below = [fill(line, thread=thread)] if len(rows) > 1 else []
    show_table(context, TURN_HEAD, rows, below=below)


def _show(
    context: CommandContext, turn: Turn, above: Both | None = None, end: str = ""
) -> None:
    markdown, before = [f"{part}\n\n" if part else "" for part in above or ("", "")]

    def plain(show: Callable[[str], str]) -> str:
        return f"{before}{turn_plain(turn, show)}{end}"

    markdown += turn_markdown(turn)
    show_markdown(context.shell, markdown, plain(str), rendered=plain)


def _earlier(turns: Sequence[Turn], args: Arguments) -> Both | None:
    """Return a line about the turns before those that are shown."""
    count = turns[0].number - 1
    if not count:
        return None
    thread = args.get("--thread")
    options = [f"--thread {quote(thread)}"] if thread else []
    options += ["--full"] if "--full" in args else []
    options += [f"--last {turns[-1].number}"]
    return fill(
        f"… and {counted(count, 'earlier turn')}: `%h2o history {{options}}`",
        options=" ".join(options),
    )
